using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Explore;

/// <summary>
/// Shows a picture, its active features and where they are active. The browser gets all maps at once and draws and ranks them.
/// </summary>
public sealed partial class Explore
{
    private const double AreaThreshold = .25;
    // The multiple of a feature's mean that fills its bar.
    private const double FullBar = 3;
    private const int MaxListed = 12;
    private readonly Stack<ExploreState> _past = [];
    private ElementReference _root;
    private IJSObjectReference? _view;
    private PageJobs _jobs = null!;
    private PageAddress _address = null!;
    private StudioSettings _settings = StudioSettings.Default;
    private ExploreState _state = new(new Recipe { Model = "none", Prompt = "", Width = 256, Height = 256 });
    private ActivationMaps? _maps;
    // The recipe whose picture the browser shows for comparison.
    private Recipe? _unchanged;
    private string? _notice, _note;
    private int _step;

    private IReadOnlyList<Site> Sites => Model is { } model ? [.. model.Sites.Select(sae => sae.Site)] : [];

    private SiteActivations? Current => _state.Site is { } site ? _maps?.Find(site, _step) : null;

    private string SiteName => _state.Site is { } site ? Model?.NameOf(site) ?? site.Code : "the site";

    private string? SelectedLabel => Current is { } map && _state.Feature is { } feature
        ? $"{map.Site} #{feature} {Atlas?.Find(map.Site, feature)?.Name}"
        : null;

    /// <summary>Says in one sentence how the picture was changed; null if it was not.</summary>
    private string? ChangeText => _state switch
    {
        { Intervention: ExploreState.Ablate } => $"Without the output of {SiteName}.",
        { Intervention: ExploreState.Reconstruct } => $"With only what the features of {SiteName} explain.",
        { Change: { Factor: 0 } change } => $"Without {NameOf(change)}.",
        { Change: { } change } => $"With {NameOf(change)} at {FactorText(change.Factor)} of its activation.",
        _ => null,
    };

    private string WaitingText => Serving.Failure ?? Serving.Missing
        ?? (Serving.IsReady ? "Generate a picture to see its active features and where they are active." : "The model is loading …");

    protected override void OnInitialized()
    {
        _jobs = new(Client, Visitor, () => InvokeAsync(StateHasChanged));
        _address = new(Navigation, Script, "explore", () => InvokeAsync(FollowAddressAsync));
        ReadAddress();
    }

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!firstRender)
            return;
        var isLate = Model is null;
        await Serving.Loaded;
        if (Model is null)
        {
            StateHasChanged();
            return;
        }
        if (isLate)
            ReadAddress();
        ShowOwnPicture();
        _settings = await StudioSettings.LoadAsync(Script);
        _view = await Script.CreateAsync("Pages/Explore/Explore", _root);
        await RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _address.Dispose();
        _jobs.Dispose();
        await _view.CloseAsync();
    }

    private void ReadAddress()
    {
        if (Model is { } model)
            _state = ExploreState.Read(_address.Parameters, model, Examples.First(Catalogue));
    }

    // Without an address of its own, the page shows the picture that the visitor paints on, with its layers.
    private void ShowOwnPicture()
    {
        if (_address.Parameters.Count == 0 && Visitor.Canvas?.Recipe is { } own && own.Model == Model?.Name)
            _state = _state with { Recipe = own with { Interventions = [] } };
    }

    private void KeepAddress()
    {
        if (Model is { } model)
            _address.Set(_state.ToParameters(model));
    }

    private async Task FollowAddressAsync()
    {
        // A link without parameters changes nothing.
        if (_address.Parameters.Count == 0)
        {
            KeepAddress();
            return;
        }
        var before = _state.ChangedRecipe;
        ReadAddress();
        if (_state.ChangedRecipe == before)
            await SelectAsync(_state.Feature);
        else
            await RunAsync();
    }

    private async Task LockSeedAsync(bool isLocked)
    {
        _settings = _settings with { IsSeedLocked = isLocked };
        await _settings.SaveAsync(Script);
    }

    private Task GenerateAsync(string prompt)
    {
        var seed = _settings.IsSeedLocked ? _state.Recipe.Seed : RandomNumberGenerator.GetInt32(int.MaxValue);
        return GenerateAsync(_state.Recipe with { Prompt = prompt, Seed = seed });
    }

    private Task GenerateAsync(Recipe recipe) => ShowAsync(_state with { Recipe = recipe, Intervention = null, Change = null });

    // Makes another picture, which can be undone.
    private Task ShowAsync(ExploreState next)
    {
        if (next.ChangedRecipe != _state.ChangedRecipe)
            _past.Push(_state);
        _state = next;
        return RunAsync();
    }

    private Task UndoAsync()
    {
        if (!_past.TryPop(out var before))
            return Task.CompletedTask;
        _state = before;
        return RunAsync();
    }

    private Task RunAsync() => _jobs.RunAsync(async run =>
    {
        _notice = null;
        KeepAddress();
        // A changed picture is compared with the unchanged one.
        if (_state.IsChanged && _unchanged != _state.Recipe)
            await MakeAsync(run, _state.Recipe);
        await MakeAsync(run, _state.ChangedRecipe);
        var isKept = _state.Feature is { } feature
            && (Current?.Indices.Contains(feature) == true || (_state.Change?.Feature == feature && _state.Change.Site == _state.Site));
        await SelectAsync(isKept ? _state.Feature : Strongest);
    });

    private async Task MakeAsync(PageJobs.Run run, Recipe recipe)
    {
        var result = await run(new GenerationJob(Guid.NewGuid(), recipe.Check()) { Sites = [.. Sites] });
        (_maps, _note) = (result.Maps, result.Note);
        _step = Math.Min(_step, _maps.All.Max(map => map.Step));
        var isChanged = recipe != _state.Recipe;
        if (!isChanged)
            _unchanged = recipe;
        await _view!.InvokeVoidAsync("show", result.Picture.ToArray(), MapsForBrowser(), isChanged);
    }

    private async Task ShowStepAsync(ChangeEventArgs change)
    {
        if (!PlainNumber.TryWhole((string?)change.Value, out int step) || _maps is null || !_maps.All.Any(map => map.Step == step))
            return;
        _step = step;
        await _view!.InvokeVoidAsync("setMaps", (object)MapsForBrowser());
    }

    private int? Strongest => Current is { } map ? Ranked(map).FirstOrDefault()?.Feature : null;

    private Task ShowSiteAsync(Site site)
    {
        var isChanged = _state.Intervention is not null;
        var next = _state with { Site = site, Feature = null, Intervention = null };
        if (isChanged)
            return ShowAsync(next);
        _state = next;
        return SelectAsync(Strongest);
    }

    private async Task SelectAsync(int? feature, bool showsHeat = false)
    {
        _state = _state with { Feature = feature };
        KeepAddress();
        if (_view is not null)
            await _view.InvokeVoidAsync("select", _state.Site?.Code, feature ?? -1, showsHeat);
        StateHasChanged();
    }

    private Task InterveneAsync(string kind) =>
        ShowAsync(_state with { Intervention = _state.Intervention == kind ? null : kind, Change = null });

    private Task SetFactorAsync(ChangeEventArgs change) =>
        PlainNumber.TryReal((string?)change.Value, out var factor) ? ChangeAsync(factor) : Task.CompletedTask;

    private Task ChangeAsync(double factor) => _state is { Site: { } site, Feature: { } feature }
        ? ShowAsync(_state with
        {
            Intervention = null,
            Change = factor.Equals(1) ? null : new(site, feature, Math.Clamp(factor, 0, FeatureChange.MaxFactor)),
        })
        : Task.CompletedTask;

    private async Task SaveAsync() => await _view!.InvokeVoidAsync("save", $"{FileNames.Of(_state.Recipe)}.png");

    private void PaintArea()
    {
        if (Current is not { } map || _state.Feature is not { } feature)
            return;
        var cells = map.Map(feature);
        var max = Math.Max(cells.Max(), 1e-6f);
        var mask = BrushMask.FromCells(map.Rows, map.Columns, [.. cells.Select(value => value >= AreaThreshold * max ? 1f : 0)]);
        var recipe = NewLayer.OnTop(_state.Recipe, new FeatureEdit(map.Site, feature, NewLayer.Strength) { Mask = mask });
        Navigation.NavigateTo($"./#r={recipe.ToLink()}");
    }

    private double FactorOf(Site site, int feature) =>
        _state.Change is { } change && change.Site == site && change.Feature == feature ? change.Factor : 1;

    private static string FactorText(double factor) => factor.ToString("0.##", CultureInfo.InvariantCulture) + " ×";

    private string NameOf(FeatureChange change) =>
        $"{Atlas?.Find(change.Site, change.Feature)?.Name ?? "feature"} #{change.Feature} "
        + $"({Model?.NameOf(change.Site) ?? change.Site.Code})";

    private Func<double, string> TextOf(Site site, int feature) =>
        activation => ActivationText.Of(Atlas?.Find(site, feature)?.Statistics, activation);

    // The feature's mean over the picture at each step.
    private double[] Curve(Site site, int feature) =>
        [.. _maps!.All.Where(map => map.Site == site).OrderBy(map => map.Step).Select(map => (double)map.Map(feature).Average())];

    // The strongest features, and the selected one.
    private IEnumerable<ActiveFeature> Listed(SiteActivations map) =>
        Ranked(map).Where((active, rank) => rank < MaxListed || active.Feature == _state.Feature);

    // In units of their means, as on the other pages; by the plain number where those are unknown.
    private IEnumerable<ActiveFeature> Ranked(SiteActivations map) => map.Top(map.Features)
        .OrderByDescending(active => Atlas?.Find(map.Site, active.Feature)?.Statistics.Relative(active.Mean) ?? active.Mean);

    private object[] MapsForBrowser() => [.. _maps!.All.Where(map => map.Step == _step).Select(ForBrowser)];

    private object ForBrowser(SiteActivations map) => new
    {
        Site = map.Site.Code,
        map.Rows,
        map.Columns,
        map.K,
        Indices = MemoryMarshal.AsBytes(map.Indices).ToArray(),
        Values = MemoryMarshal.AsBytes(map.Values).ToArray(),
        Cards = map.Indices.ToArray().Distinct().Select(feature => Atlas?.Find(map.Site, feature)).OfType<FeatureCard>()
            .ToDictionary(card => card.Feature.ToString(CultureInfo.InvariantCulture), card => new { card.Name, card.Statistics.Mean }),
    };
}
