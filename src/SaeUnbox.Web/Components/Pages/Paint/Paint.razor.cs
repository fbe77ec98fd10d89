using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>
/// The studio. The recipe lives in the canvas session on the server; this page changes it by its controls, the brush (Paint.razor.js) by
/// the hub, and pictures reach the brush's canvas past Blazor.
/// </summary>
public sealed partial class Paint
{
    private const int MostActive = 12, MostHistory = 24, MostHistoryBytes = 1 << 20, LargestThumbnail = 32 << 10;
    private static readonly TimeSpan WorthTelling = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _gone = new();
    private readonly List<HistoryEntry> _history = [];
    private ElementReference _root;
    private IJSObjectReference? _module;
    private IJSObjectReference? _surface;
    private DotNetObjectReference<Paint>? _self;
    private CanvasSession? _canvas;
    private BrushState _brush = new();
    private int _selected, _current = -1;
    private Solo? _solo;
    private (int Row, int Column)? _cell;
    private IReadOnlyList<ActiveHere> _active = [];
    private Notice? _notice;
    private IconOf? _icon;
    private View _view;
    private string _outside = "";
    private double? _done;
    private bool _isBusy, _isStroke, _hasPicture, _isSeedLocked = true;

    private enum View { Picture, Slider, Difference }

    [SupplyParameterFromQuery(Name = "layer")]
    private string? Layer { get; set; }

    private ModelInfo? Model => Catalogue.Models.Count > 0 ? Catalogue.Find(Recipe.Model) ?? Catalogue.Models[0] : null;

    private IFeatureAtlas? Atlas => Model is { } model ? Catalogue.AtlasOf(model.Name) : null;

    private Recipe Recipe => _canvas?.Recipe ?? (Catalogue.Models.Count > 0 ? Examples.First(Catalogue) : null) ?? new Recipe { Model = "none", Prompt = "", Width = 256, Height = 256 };

    private FeatureEdit? SelectedEdit => _selected >= 0 && _selected < Recipe.Edits.Count ? Recipe.Edits[_selected] : null;

    private string? TagOfSelected => SelectedEdit is { } edit ? FormattableString.Invariant($"{edit.Site} #{edit.Feature} {Atlas?.Find(edit.Site, edit.Feature)?.Name} {edit.Strength:+0.#;−0.#;0}") : null;

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!firstRender)
            return;
        await Serving.Loaded;
        StateHasChanged();
        if (Model is null)
            return;
        _self = DotNetObjectReference.Create(this);
        _module = await Script.InvokeAsync<IJSObjectReference>("import", "./Components/Pages/Paint/Paint.razor.js");
        _surface = await _module.InvokeAsync<IJSObjectReference>("create", _root, _self);
        await RecallSettingsAsync();
        await OpenAsync(_surface);
    }

    public async ValueTask DisposeAsync()
    {
        await _gone.CancelAsync();
        if (_canvas is not null)
            _canvas.Updated -= Follow;
        try
        {
            if (_surface is not null)
                await _surface.InvokeVoidAsync("close");
        }
        catch (JSDisconnectedException)
        {
            // The tab is gone, and its canvas with it.
        }
        _self?.Dispose();
    }

    /// <summary>The brush's canvas shows a picture that will stay for now.</summary>
    [JSInvokable]
    public void Settled(long version, string thumbnail, double? outside)
    {
        Compare(outside);
        // One that was chosen from the history stands there already.
        if (_canvas is { } canvas && canvas.Version == version && thumbnail.Length <= LargestThumbnail && (_current < 0 || _history[_current].Recipe != canvas.Recipe))
        {
            _history.Add(new(canvas.Recipe, thumbnail));
            var kept = Math.Clamp(RecipeMemory.CountWithin(MostHistoryBytes, _history.Select(entry => entry.Recipe).Reverse()), 1, MostHistory);
            _history.RemoveRange(0, Math.Max(0, _history.Count - kept));
            _current = _history.Count - 1;
        }
        StateHasChanged();
    }

    /// <summary>The pointer, or the keys' cell, rests on a part of the picture, from 0 to 1 from the left and from the top.</summary>
    [JSInvokable]
    public void Hover(double x, double y)
    {
        _cell = (Thousandth(y), Thousandth(x));
        ReadActive();
        StateHasChanged();

        static int Thousandth(double share) => Math.Clamp((int)(share * 1000), 0, 999);
    }

    private void LookAtWhole()
    {
        _cell = null;
        ReadActive();
    }

    /// <summary>Something went wrong in the browser's part, in one sentence.</summary>
    [JSInvokable]
    public void Trouble(string message)
    {
        Tell(message, isBad: true);
        StateHasChanged();
    }

    private void Follow(CanvasUpdate update) => InvokeAsync(async () =>
    {
        switch (update)
        {
            case CanvasUpdate.Changed { IsStroke: false } change:
                _isStroke = false;
                _selected = Math.Clamp(_selected, 0, Math.Max(0, change.Recipe.Edits.Count - 1));
                await ShowLayerAsync();
                break;
            case CanvasUpdate.Changed:
                _isStroke = true;
                return;
            case CanvasUpdate.Frame frame:
                (_isBusy, _done, _hasPicture) = (false, null, true);
                if (_notice is { IsOfQueue: true })
                    _notice = null;
                if (frame.Result.Maps.All.Count > 0)
                    ReadActive();
                else
                    return;
                break;
            case CanvasUpdate.Status { Progress: GenerationProgress.Running { Steps: > 1 } running }:
                (_isBusy, _done) = (true, (double)running.Step / running.Steps);
                break;
            case CanvasUpdate.Status { Progress: GenerationProgress.Cancelled }:
                _isBusy = false;
                Tell("Stopped.");
                break;
            case CanvasUpdate.Rejected rejected:
                _isBusy = false;
                _notice = rejected.RetryAfter is null ? new(rejected.Message, IsBad: true)
                    : new("Too many are waiting; the picture is made as soon as there is room.", IsBad: true, IsOfQueue: true);
                break;
            case CanvasUpdate.Status { Progress: GenerationProgress.Waiting { Position: > 0 } waiting } when waiting.Expected is { } expected ? expected > WorthTelling : !_isStroke:
                _isBusy = true;
                _notice = new(Shared.PageWork.Text(waiting), false, IsOfQueue: true);
                break;
            default:
                return;
        }
        StateHasChanged();
    });

    private void ReadActive()
    {
        if (_canvas?.NewestFrame?.Result.Maps is not { All.Count: > 0 } maps || Atlas is not { } atlas)
            return;
        _active =
        [
            .. maps.All.SelectMany(map => (_cell is { } cell
                    ? map.Under(cell.Row * map.Rows / 1000, cell.Column * map.Columns / 1000).Select(found => (found.Feature, Value: (double)found.Value))
                    : map.Top(MostActive).Select(found => (found.Feature, Value: found.Mean)))
                .Select(found => (Card: atlas.Find(map.Site, found.Feature), found.Value)))
                .Where(found => found.Card is { IsDead: false }).Select(found => new ActiveHere(found.Card!, found.Value, found.Value / Math.Max(found.Card!.Statistics.Mean, 1e-6)))
                .OrderByDescending(found => found.Relative).Take(MostActive),
        ];
    }

    private void Compare(double? outside) => _outside = outside is { } share ? FormattableString.Invariant($"{share:0.0 %} of the change lies outside the masks") : "";

    private void Tell(string text, bool isBad = false) => _notice = new(text, isBad);

    private sealed record Notice(string Text, bool IsBad, bool IsOfQueue = false);

    private sealed record IconOf(string Title, string? Source);
}
