using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>
/// Connects <see cref="PaintState"/> with the browser's painting surface (Paint.razor.js). Strokes and pictures do not pass through Blazor:
/// the surface exchanges them with the hub.
/// </summary>
public sealed partial class Paint
{
    private const string Keyboard = "Painting surface. Arrow keys move the cell cursor, Space or Enter paints the cell, Shift with an "
        + "arrow key moves and paints, Delete erases, square brackets change the brush. To select or remove, Space marks "
        + "cells and Enter uses them.";

    private readonly CancellationTokenSource _closed = new();
    private ElementReference _root;
    private IJSObjectReference? _surface;
    private DotNetObjectReference<Paint>? _self;
    private PaintState _state = null!;
    private StudioSettings _settings = StudioSettings.Default;
    private IconView? _icon;
    private bool _showsKeys, _showsExamples, _hasUsedRegions;

    [SupplyParameterFromQuery(Name = "layer")]
    private string? Layer { get; set; }

    private string WaitingText => !Serving.IsReady ? Serving.Failure ?? Serving.Missing ?? "The model is loading …"
        : _state.Canvas is null ? "The studio is opening …" : "Write a prompt and generate a picture.";

    private IReadOnlyList<string> Things => [.. (_state.Atlas?.Concepts ?? []).Select(concept => concept.Name)];

    private string? Hint => (_settings.Brush.Tool, _hasUsedRegions) switch
    {
        (Tool.Remove, false) => "Brush over a whole thing to remove it",
        (Tool.Select, false) => "Brush over a part of the picture to see what is in it",
        (Tool.Remove or Tool.Select, _) => null,
        _ => _state.Hint,
    };

    private string? Tag => _settings.Brush.Tool switch
    {
        Tool.Remove => _state.Thing.Length > 0 ? $"Remove · {_state.Thing}" : "Remove",
        Tool.Select => "Select",
        Tool.Eraser => $"Eraser · {_state.SelectedLabel}",
        _ => _state.SelectedLabel,
    };

    protected override void OnInitialized() => _state = new(Canvases, Catalogue, Clock, StateHasChanged);

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!firstRender)
            return;
        await Serving.Loaded;
        StateHasChanged();
        if (_state.Model is null)
            return;
        _self = DotNetObjectReference.Create(this);
        _surface = await Script.CreateAsync("Pages/Paint/Paint", _root, _self);
        _settings = await StudioSettings.LoadAsync(Script);
        await ShowBrushAsync();
        await OpenAsync(_surface);
        StateHasChanged();
    }

    public async ValueTask DisposeAsync()
    {
        await _closed.CancelAsync();
        if (_state.Canvas is { } canvas)
            canvas.Updated -= OnUpdated;
        await _surface.CloseAsync();
        _self?.Dispose();
    }

    /// <summary>Called when a picture has stayed for a moment.</summary>
    /// <param name="version">The picture's version.</param>
    /// <param name="outside">Share of the change that lies outside the masks; null if unknown.</param>
    /// <param name="isLikeLast">Whether it can hardly be told from the last picture that was kept.</param>
    /// <returns>Whether the history keeps it.</returns>
    [JSInvokable]
    public bool PictureSettled(long version, double? outside, bool isLikeLast)
    {
        _state.ShowLeak(outside);
        var isKept = _state.AddToHistory(version, isLikeLast);
        StateHasChanged();
        return isKept;
    }

    /// <summary>Called when the pointer or the cell cursor rests at a place, 0 to 1 from the left and from the top.</summary>
    [JSInvokable]
    public void PointAt(double x, double y)
    {
        _state.PointAt(x, y);
        StateHasChanged();
    }

    /// <summary>Called when a region was marked, to select it or to remove what is in it.</summary>
    [JSInvokable]
    public async Task UseRegion(string mask)
    {
        try
        {
            var region = BrushMask.Parse(mask);
            _hasUsedRegions = true;
            if (_settings.Brush.Tool == Tool.Remove)
                await ChangeLayersAsync(() => _state.Remove(region));
            else
                _state.SelectRegion(region);
        }
        catch (RecipeException exception)
        {
            _state.ShowError(exception.Message);
        }
        StateHasChanged();
    }

    /// <summary>Called with an error of the browser's part, in one sentence.</summary>
    [JSInvokable]
    public void ShowError(string message)
    {
        _state.ShowError(message);
        StateHasChanged();
    }

    /// <summary>Called when a link was entered in the address of the open page.</summary>
    [JSInvokable]
    public void OpenLink(string link)
    {
        _state.OpenLink(link);
        StateHasChanged();
    }

    /// <summary>Called when a picture was dropped on the page or chosen as a file.</summary>
    /// <param name="recipe">The picture's recipe as JSON; null if it has none.</param>
    [JSInvokable]
    public void OpenPicture(string? recipe)
    {
        _state.OpenPicture(recipe);
        StateHasChanged();
    }

    /// <summary>Called when a key changed the brush's size.</summary>
    [JSInvokable]
    public async Task SetBrushSize(int size)
    {
        _settings = _settings with { Brush = _settings.Brush with { Size = size } };
        StateHasChanged();
        await _settings.SaveAsync(Script);
    }

    /// <summary>Called when a key asked to undo or redo.</summary>
    [JSInvokable]
    public void UndoOrRedo(bool isRedo)
    {
        if (isRedo)
            _state.Redo();
        else
            _state.Undo();
        StateHasChanged();
    }

    private async Task OpenAsync(IJSObjectReference surface)
    {
        try
        {
            var stored = await surface.InvokeAsync<StoredState>("find");
            var canvas = await _state.OpenAsync(Visitor.Key, stored, Layer, Visitor.Canvas, _closed.Token);
            Visitor.Canvas = canvas;
            canvas.Updated += OnUpdated;
            await surface.InvokeVoidAsync("open", canvas.Id);
            // Until the draft contains a stroke, the browser keeps it.
            if (stored.Link is not null || !stored.HasStrokeOf(_state.Recipe))
                await surface.InvokeVoidAsync("forget");
            await _state.ResumeAsync(stored, _closed.Token);
            await ShowLayerAsync();
            if (_state.Demonstration is { } mask)
                await surface.InvokeVoidAsync("demonstrate", mask.ToString());
        }
        catch (RecipeException exception)
        {
            _state.ShowError(exception.Message);
        }
        catch (JSException exception)
        {
            _state.ShowError($"The brush cannot reach the server: {FirstLine(exception)}");
        }
        catch (OperationCanceledException)
        {
            // The visitor left the page.
        }
    }

    private void OnUpdated(CanvasUpdate update) => InvokeAsync(async () =>
    {
        if (!_state.Apply(update))
            return;
        if (update is CanvasUpdate.Changed)
            await ShowLayerAsync();
        StateHasChanged();
    });

    private async Task ChangeLayersAsync(Action change)
    {
        change();
        await ShowLayerAsync();
    }

    private Task ShowLayerAsync()
    {
        // The browser has the recipe from the hub, and waits for this version of it.
        var version = _state.Canvas?.Version ?? 0;
        var (recipe, selected) = (_state.Recipe, _state.SelectedEdit);
        var grid = selected is null ? null : _state.Model?.Find(selected.Site)?.Grid(recipe.Width, recipe.Height);
        // A region is marked on the finest grid.
        var region = _state.Model?.Sites.Select(site => site.Grid(recipe.Width, recipe.Height)).MaxBy(site => site.Rows);
        return OnSurfaceAsync("showLayer", new
        {
            Version = version,
            Index = grid is null ? -1 : _state.Selected,
            Rows = grid?.Rows ?? 0,
            Columns = grid?.Columns ?? 0,
            Site = selected?.Site.Code ?? "",
            RegionRows = region?.Rows ?? 1,
            RegionColumns = region?.Columns ?? 1,
        });
    }

    private async Task SetBrushAsync(BrushState brush)
    {
        _settings = _settings with { Brush = brush };
        await ShowBrushAsync();
        await _settings.SaveAsync(Script);
    }

    private Task ShowBrushAsync() => OnSurfaceAsync("setBrush", _settings.Brush.Size, _settings.Brush.Hardness,
        _settings.Brush.Tool.ToString().ToLowerInvariant(), _settings.HasKeys);

    private Task PickAsync((FeatureCard Card, double? Strength) picked) => PickAsync(() => _state.AddLayer(picked.Card, picked.Strength));

    private Task PickAsync(Concept concept) => PickAsync(() => _state.AddLayer(concept));

    // Whoever chooses a feature wants to paint with it.
    private async Task PickAsync(Action add)
    {
        await ChangeLayersAsync(add);
        if (_settings.Brush.Tool is not Tool.Lasso)
            await SetBrushAsync(_settings.Brush with { Tool = Tool.Brush });
    }

    private Task UnselectAsync()
    {
        _state.SelectRegion(BrushMask.FromCells(1, 1, [0]));
        return OnSurfaceAsync("unselect");
    }

    private Task OpenExampleAsync(Recipe recipe)
    {
        _showsExamples = false;
        return ChangeLayersAsync(() => _state.OpenExample(recipe));
    }

    private async Task SwitchKeysAsync(ChangeEventArgs change)
    {
        _settings = _settings with { HasKeys = change.Value is true };
        await SetBrushAsync(_settings.Brush);
    }

    private async Task LockSeedAsync(bool isLocked)
    {
        _settings = _settings with { IsSeedLocked = isLocked };
        await _settings.SaveAsync(Script);
    }

    private Task ToggleSoloAsync(int index) => OnSurfaceAsync("keepSolo", _state.ToggleSolo(index));

    private Task FillAsync(Fill fill) => OnSurfaceAsync("fill", fill.ToString().ToLowerInvariant());

    private Task ZoomAsync(int step) => OnSurfaceAsync("zoom", step);

    private async Task SetViewAsync(View view)
    {
        var next = _state.ToggleView(view);
        if (_surface is null)
            return;
        var outside = await _surface.InvokeAsync<double?>("setView", next.ToString().ToLowerInvariant());
        if (_state.View == next)
            _state.ShowLeak(outside);
    }

    private async Task SaveAsync()
    {
        try
        {
            await OnSurfaceAsync("save", _state.Canvas?.Version ?? 0, $"{FileNames.Of(_state.Recipe)}.png");
        }
        catch (JSException exception)
        {
            _state.ShowError($"The picture could not be saved: {FirstLine(exception)}");
        }
    }

    private async Task ShowIconAsync(int index)
    {
        var edit = _state.Recipe.Edits[index];
        var asked = _icon = new($"{_state.NameOf(edit)} {edit.Site} #{edit.Feature}", null);
        try
        {
            var picture = await _surface!.InvokeAsync<string>("iconOf", edit.Site.Code, edit.Feature);
            // The visitor may have closed the dialog or opened another.
            if (_icon == asked)
                _icon = asked with { Source = picture };
        }
        catch (JSException exception)
        {
            _icon = null;
            _state.ShowError(FirstLine(exception));
        }
    }

    // Does nothing before the surface is there.
    private async Task OnSurfaceAsync(string function, params object?[] arguments)
    {
        if (_surface is not null)
            await _surface.InvokeVoidAsync(function, arguments);
    }

    // Further lines are the browser's stack trace.
    private static string FirstLine(JSException exception) => exception.Message.Split('\n')[0];

    private sealed record IconView(string Title, string? Source);
}
