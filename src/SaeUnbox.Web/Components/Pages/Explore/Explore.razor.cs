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
    private const int MaxListed = 12;
    private ElementReference _root;
    private IJSObjectReference? _view;
    private PageJobs _jobs = null!;
    private PageAddress _address = null!;
    private StudioSettings _settings = StudioSettings.Default;
    private ExploreState _state = new(new Recipe { Model = "none", Prompt = "", Width = 256, Height = 256 });
    private ActivationMaps? _maps;
    private string? _notice, _note;

    private IReadOnlyList<Site> Sites => Model is { } model ? [.. model.Sites.Select(sae => sae.Site)] : [];

    private SiteActivations? Current => _state.Site is { } site ? _maps?.Find(site) : null;

    private string SiteName => _state.Site is { } site ? Model?.NameOf(site) ?? site.Code : "the site";

    private string? SelectedLabel => Current is { } map && _state.Feature is { } feature
        ? $"{map.Site} #{feature} {Atlas?.Find(map.Site, feature)?.Name}"
        : null;

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
        await using var module = await Script.InvokeAsync<IJSObjectReference>("import", "./Components/Pages/Explore/Explore.razor.js");
        _view = await module.InvokeAsync<IJSObjectReference>("create", _root);
        await RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _address.Dispose();
        _jobs.Dispose();
        try
        {
            if (_view is not null)
                await _view.InvokeVoidAsync("close");
        }
        catch (JSDisconnectedException)
        {
            // The tab is closed.
        }
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
        var before = _state.RecipeWithIntervention;
        ReadAddress();
        if (_state.RecipeWithIntervention == before)
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
        return ShowAsync(_state.Recipe with { Prompt = prompt, Seed = seed });
    }

    private Task ShowAsync(Recipe recipe)
    {
        _state = _state with { Recipe = recipe, Intervention = null };
        return RunAsync();
    }

    private Task RunAsync() => _jobs.RunAsync(async run =>
    {
        _notice = null;
        KeepAddress();
        var result = await run(new GenerationJob(Guid.NewGuid(), _state.RecipeWithIntervention.Check()) { Sites = [.. Sites] });
        (_maps, _note) = (result.Maps, result.Note);
        var maps = _maps.All.Where(map => map.Step == 0).Select(ForBrowser).ToArray();
        await _view!.InvokeVoidAsync("show", result.Picture.ToArray(), maps);
        await SelectAsync(_state.Feature is { } feature && Current?.Indices.Contains(feature) == true ? feature : Strongest);
    });

    private int? Strongest => Current?.Top(1).FirstOrDefault()?.Feature;

    private Task ShowAsync(Site site)
    {
        var isChanged = _state.Intervention is not null;
        _state = _state with { Site = site, Intervention = null };
        return isChanged ? RunAsync() : SelectAsync(Strongest);
    }

    private async Task SelectAsync(int? feature)
    {
        _state = _state with { Feature = feature };
        KeepAddress();
        if (_view is not null)
            await _view.InvokeVoidAsync("select", _state.Site?.Code, feature ?? -1);
        StateHasChanged();
    }

    private Task InterveneAsync(string kind)
    {
        _state = _state with { Intervention = _state.Intervention == kind ? null : kind };
        return RunAsync();
    }

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

    // The strongest features, and the selected one.
    private IEnumerable<ActiveFeature> Listed(SiteActivations map) =>
        map.Top(map.Features).Where((active, rank) => rank < MaxListed || active.Feature == _state.Feature);

    private static double Scale(SiteActivations map) => map.Top(1, FeatureOrder.Max).FirstOrDefault()?.Max ?? 1;

    private object ForBrowser(SiteActivations map) => new
    {
        Site = map.Site.Code,
        map.Rows,
        map.Columns,
        map.K,
        Indices = MemoryMarshal.AsBytes(map.Indices).ToArray(),
        Values = MemoryMarshal.AsBytes(map.Values).ToArray(),
        Names = map.Indices.ToArray().Distinct().Select(feature => (Feature: feature, Atlas?.Find(map.Site, feature)?.Name))
            .Where(card => card.Name is not null)
            .ToDictionary(card => card.Feature.ToString(CultureInfo.InvariantCulture), card => card.Name),
    };
}
