using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Finds features, over all sites, that are active in the same pictures: by Pearson's correlation of their mean activations. It holds the
/// activations of all features in all pictures, 4 bytes each.
/// </summary>
internal static class CoActivation
{
    // Of features active in fewer pictures, a correlation says little.
    private const int FewestPictures = 5;
    // From here on, one feature explains a quarter of the other's variance.
    private const double LeastCorrelation = .5;

    /// <param name="pictures">Number of pictures that the tallies saw.</param>
    /// <param name="count">Most features to return for each.</param>
    /// <returns>For each feature the most correlated others, the largest correlation first; no entry for none.</returns>
    public static Dictionary<(Site Site, int Feature), IReadOnlyList<AtlasTogether>> Find(IReadOnlyList<FeatureTally> tallies, int pictures,
        int count, CancellationToken cancellation)
    {
        (FeatureTally Tally, int Feature)[] features =
        [
            .. from tally in tallies
               from feature in Enumerable.Range(0, tally.Features)
               where tally.Activity(feature).Count >= FewestPictures
               select (tally, feature),
        ];
        var found = new Dictionary<(Site, int), IReadOnlyList<AtlasTogether>>();
        if (features.Length < 2)
            return found;
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var rows = stack([.. features.Select(one => tensor(Standardised(one.Tally.Activity(one.Feature), pictures)))]);
        foreach (var (row, near) in CosineNeighbours.Nearest(rows, rows, count, cancellation).Index())
        {
            AtlasTogether[] others =
            [
                .. near.Where(one => one.Cosine >= LeastCorrelation).Select(one =>
                    new AtlasTogether(features[one.Feature].Tally.Site, features[one.Feature].Feature, Math.Round(one.Cosine, 3))),
            ];
            if (others.Length > 0)
                found[(features[row].Tally.Site, features[row].Feature)] = others;
        }
        return found;
    }

    // Of mean 0 and length 1, so that a product of two is their correlation.
    private static float[] Standardised(IReadOnlyList<(int Caption, double Weight)> activity, int pictures)
    {
        var mean = activity.Sum(one => one.Weight) / pictures;
        var row = Enumerable.Repeat(-mean, pictures).ToArray();
        foreach (var (caption, weight) in activity)
            row[caption] = weight - mean;
        var length = Math.Sqrt(row.Sum(value => value * value));
        return [.. row.Select(value => (float)(value / Math.Max(length, 1e-12)))];
    }
}
