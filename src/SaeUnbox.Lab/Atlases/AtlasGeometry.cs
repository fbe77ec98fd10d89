namespace SaeUnbox.Lab;

/// <summary>What decoder directions tell of features: which are alike, and a place for each on a plane.</summary>
internal static class AtlasGeometry
{
    /// <summary>By feature: the nearest in each site of the same width.</summary>
    public static (HookSite Site, int Feature, double Cosine)[][] Neighbours(LoadedModel model, HookSite site, int count)
    {
        var sae = model.Saes[site];
        var others = model.Saes.Where(other => other.Value.Config.Width == sae.Config.Width)
            .Select(other => (Site: other.Key, Near: CosineNeighbours.Find(sae, other.Value, count))).ToArray();
        return [.. Enumerable.Range(0, sae.Config.Features).Select(feature =>
            others.SelectMany(other => other.Near[feature].Select(near => (other.Site, near.Feature, (double)near.Cosine))).ToArray())];
    }

    /// <param name="alive">Those that get a place: features that were never active would only crowd the middle.</param>
    public static Dictionary<int, FeaturePlace> Places(LoadedModel model, HookSite site, int[] alive, CancellationToken cancellation)
    {
        var places = StochasticNeighbours.Place(CosineDistances.Between(model.Saes[site], alive), cancellation: cancellation);
        return alive.Zip(places).ToDictionary(pair => pair.First, pair => new FeaturePlace(pair.First, pair.Second.X, pair.Second.Y));
    }
}
