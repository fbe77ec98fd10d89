using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Explore;

/// <summary>
/// A picture, the features active in it, and where: the maps go to the browser once, which draws and ranks them on its own.
/// </summary>
public sealed partial class Explore
{
    private const double AreaFrom = .25;
    private const int MostListed = 12;
    private ElementReference _root;
    private IJSObjectReference? _view;
    private PageWork _work = null!;
    private PageAddress _address = null!;
    private StudioSettings _settings = StudioSettings.Default;
    private ExploreState _state = new(new Recipe { Model = "none", Prompt = "", Width = 256, Height = 256 });
    private ActivationMaps? _maps;
    private string? _notice;

    private IReadOnlyList<HookSite> Sites => Model is { } model ? [.. model.Sites.Select(sae => sae.Site)] : [];

    private SiteActivations? Current => _state.Site is { } site ? _maps?.Find(site) : null;

    private string SiteName => SiteNames.Of(_state.Site ?? HookSite.Composition);

    private string? TagOfChosen => Current is { } map && _state.Feature is { } feature ? $"{map.Site} #{feature} {Atlas?.Find(map.Site, feature)?.Name}" : null;

    protected override void OnInitialized()
    {
        _work = new(Jobs, Visitor, () => InvokeAsync(StateHasChanged));
        _address = new(Navigation, "explore", () => InvokeAsync(FollowAddressAsync));
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
        _settings = await StudioSettings.RecallAsync(Script);
        await using var module = await Script.InvokeAsync<IJSObjectReference>("import", "./Components/Pages/Explore/Explore.razor.js");
        _view = await module.InvokeAsync<IJSObjectReference>("create", _root);
        await RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _address.Dispose();
        _work.Dispose();
        try
        {
            if (_view is not null)
                await _view.InvokeVoidAsync("close");
        }
        catch (JSDisconnectedException)
        {
            // The tab is gone.
        }
    }

    private void ReadAddress()
    {
        if (Model is { } model)
            _state = ExploreState.Read(_address.Parts, model, Examples.First(Catalogue));
    }

    private void KeepAddress()
    {
        if (Model is { } model)
            _address.Keep(_state.Parts(model));
    }

    private async Task FollowAddressAsync()
    {
        // A link to the page that tells nothing leaves what is there.
        if (_address.Parts.Count == 0)
        {
            KeepAddress();
            return;
        }
        var before = _state.Asked;
        ReadAddress();
        if (_state.Asked == before)
            await SelectAsync(_state.Feature);
        else
            await RunAsync();
    }

    private async Task LockSeedAsync(bool isLocked)
    {
        _settings = _settings with { IsSeedLocked = isLocked };
        await _settings.KeepAsync(Script);
    }

    private Task GenerateAsync(string prompt) =>
        ShowAsync(_state.Recipe with { Prompt = prompt, Seed = _settings.IsSeedLocked ? _state.Recipe.Seed : RandomNumberGenerator.GetInt32(int.MaxValue) });

    private Task ShowAsync(Recipe recipe)
    {
        _state = _state with { Recipe = recipe, Intervention = null };
        return RunAsync();
    }

    private Task RunAsync() => _work.RunAsync(async run =>
    {
        _notice = null;
        KeepAddress();
        var result = await run(new GenerationJob(Guid.NewGuid(), _state.Asked.Check()) { Sites = [.. Sites] });
        _maps = result.Maps;
        await _view!.InvokeVoidAsync("show", result.Picture.ToArray(), _maps.All.Where(map => map.Step == 0).Select(Packed).ToArray());
        await SelectAsync(_state.Feature is { } kept && Current?.Indices.Contains(kept) == true ? kept : Strongest);
    });

    private int? Strongest => Current?.Top(1).FirstOrDefault()?.Feature;

    private Task ShowAsync(HookSite site)
    {
        var isChanged = _state.Intervention is not null;
        _state = _state with { Site = site, Intervention = null };
        // What was done to the other site is taken back.
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

    private async Task SaveAsync() => await _view!.InvokeVoidAsync("save");

    /// <summary>To the brush, with the cells in which the feature is strong.</summary>
    private void PaintArea()
    {
        if (Current is not { } map || _state.Feature is not { } feature)
            return;
        var cells = map.Map(feature);
        var most = Math.Max(cells.Max(), 1e-6f);
        var mask = BrushMask.FromCells(map.Rows, map.Columns, [.. cells.Select(value => value >= AreaFrom * most ? 1f : 0)]);
        Navigation.NavigateTo($"/#r={(_state.Recipe with { Edits = [new FeatureEdit(map.Site, feature, NewLayer.Strength) { Mask = mask }] }).ToLink()}");
    }

    // The strongest, and the chosen one wherever it stands.
    private IEnumerable<ActiveFeature> Listed(SiteActivations map) =>
        map.Top(map.Features).Where((active, rank) => rank < MostListed || active.Feature == _state.Feature);

    private static double Scale(SiteActivations map) => map.Top(1, FeatureOrder.Max).FirstOrDefault()?.Max ?? 1;

    private object Packed(SiteActivations map) => new
    {
        Site = map.Site.Code, Nickname = SiteNames.Of(map.Site), map.Rows, map.Columns, map.K,
        Indices = MemoryMarshal.AsBytes(map.Indices).ToArray(), Values = MemoryMarshal.AsBytes(map.Values).ToArray(),
        Names = map.Indices.ToArray().Distinct().Select(feature => (Feature: feature, Atlas?.Find(map.Site, feature)?.Name)).Where(known => known.Name is not null)
            .ToDictionary(known => known.Feature.ToString(System.Globalization.CultureInfo.InvariantCulture), known => known.Name),
    };
}
