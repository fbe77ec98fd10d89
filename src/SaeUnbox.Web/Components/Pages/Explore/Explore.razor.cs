using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Components;
using Microsoft.JSInterop;
using SaeUnbox.Contracts;
using SaeUnbox.Web.Api;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Components.Pages.Explore;

/// <summary>A picture, the features active in it, and where: the maps go to the browser once, which draws and ranks them on its own.</summary>
public sealed partial class Explore
{
    private const double AreaFrom = .25;
    private readonly CancellationTokenSource _gone = new();
    private ElementReference _root;
    private IJSObjectReference? _view;
    private ActivationMaps? _maps;
    private HookSite? _site;
    private string _prompt = "";
    private string? _problem, _intervention;
    private long _seed = 42;
    private int? _feature;
    private bool _isBusy;

    [SupplyParameterFromQuery(Name = "prompt")]
    private string? Asked { get; set; }

    private ModelInfo? Model => Catalogue.Models.Count > 0 ? Catalogue.Models[0] : null;

    private IFeatureAtlas? Atlas => Model is { } model ? Catalogue.AtlasOf(model.Name) : null;

    private IReadOnlyList<HookSite> Sites => Model is { } model ? [.. model.Sites.Select(sae => sae.Site)] : [];

    private SiteActivations? Current => _site is { } site ? _maps?.Find(site) : null;

    private Recipe Recipe => Model!.NewRecipe(_prompt) with { Seed = Math.Max(0, _seed) };

    protected override void OnInitialized()
    {
        if (Asked is { Length: > 0 } asked)
            _prompt = asked;
        else if (Model is not null)
            Take(Paint.Examples.First(Catalogue));
    }

    protected override async Task OnAfterRenderAsync(bool firstRender)
    {
        if (!firstRender)
            return;
        await Serving.Loaded;
        if (Model is null)
        {
            StateHasChanged();
            return;
        }
        if (_prompt.Length == 0)
            Take(Paint.Examples.First(Catalogue));
        await using var module = await Script.InvokeAsync<IJSObjectReference>("import", "./Components/Pages/Explore/Explore.razor.js");
        _view = await module.InvokeAsync<IJSObjectReference>("create", _root);
        await RunAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _gone.CancelAsync();
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

    private void Take(Recipe example) => (_prompt, _seed) = (example.Prompt, example.Seed);

    private Task TryAsync((string Prompt, long Seed) example)
    {
        (_prompt, _seed) = example;
        return RunAsync();
    }

    private Task RunAsync()
    {
        _intervention = null;
        return RunAsync(Recipe);
    }

    private async Task RunAsync(Recipe recipe)
    {
        if (_view is null)
            return;
        (_isBusy, _problem) = (true, null);
        StateHasChanged();
        try
        {
            var result = await Jobs.RunAsync(new GenerationJob(Guid.NewGuid(), recipe) { Sites = [.. Sites] }, Visitor.Key, _gone.Token);
            _maps = result.Maps;
            _site ??= Sites[0];
            await _view.InvokeVoidAsync("show", result.Picture.ToArray(), _maps.All.Where(map => map.Step == 0).Select(Packed).ToArray());
            var first = Current?.Top(1).FirstOrDefault()?.Feature;
            await SelectAsync(_feature is { } kept && Current?.Top(12).Any(active => active.Feature == kept) == true ? kept : first);
        }
        catch (OperationCanceledException)
        {
            // The page was left.
        }
        catch (Exception exception) when (exception is RecipeException or TooManyRequestsException or QueueFullException or JobFailedException)
        {
            _problem = exception.Message;
        }
        _isBusy = false;
        StateHasChanged();
    }

    private async Task ShowAsync(HookSite site)
    {
        _site = site;
        await SelectAsync(Current?.Top(1).FirstOrDefault()?.Feature);
    }

    private async Task SelectAsync(int? feature)
    {
        _feature = feature;
        if (_view is not null)
            await _view.InvokeVoidAsync("select", _site?.Code, feature ?? -1);
        StateHasChanged();
    }

    private Task InterveneAsync(string kind)
    {
        if (_intervention == kind)
            return RunAsync();
        _intervention = kind;
        return RunAsync(Recipe with { Interventions = [kind == "ablate" ? new SiteIntervention.Ablate(_site!) : new SiteIntervention.Reconstruct(_site!)] });
    }

    /// <summary>To the brush, with the cells in which the feature is strong.</summary>
    private void PaintArea()
    {
        if (Current is not { } map || _feature is not { } feature)
            return;
        var cells = map.Map(feature);
        var most = Math.Max(cells.Max(), 1e-6f);
        var mask = BrushMask.FromCells(map.Rows, map.Columns, [.. cells.Select(value => value >= AreaFrom * most ? 1f : 0)]);
        Navigation.NavigateTo($"/#r={(Recipe with { Edits = [new FeatureEdit(map.Site, feature, 10) { Mask = mask }] }).ToLink()}");
    }

    private static double Scale(SiteActivations map) => map.Top(1, FeatureOrder.Max).FirstOrDefault()?.Max ?? 1;

    private object Packed(SiteActivations map) => new
    {
        Site = map.Site.Code, Nickname = Shared.SiteNames.Of(map.Site), map.Rows, map.Columns, map.K,
        Indices = MemoryMarshal.AsBytes(map.Indices).ToArray(), Values = MemoryMarshal.AsBytes(map.Values).ToArray(),
        Names = map.Indices.ToArray().Distinct().Select(feature => (Feature: feature, Atlas?.Find(map.Site, feature)?.Name)).Where(known => known.Name is not null)
            .ToDictionary(known => known.Feature.ToString(System.Globalization.CultureInfo.InvariantCulture), known => known.Name),
    };
}
