using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Finds features, over all sites, that are active in the same pictures: by Pearson's correlation of their mean activations. It holds the
/// activations of all features in all pictures, 4 bytes each.
/// </summary>
internal static class CoActivation
{
    // Rows of the correlation matrix computed at a time.
    private const int Chunk = 1024;
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
        var kept = Math.Min(count, features.Length - 1);
        for (var start = 0; start < features.Length; start += Chunk)
        {
            cancellation.ThrowIfCancellationRequested();
            using var chunk = NewDisposeScope();
            var length = Math.Min(Chunk, features.Length - start);
            var correlations = rows.narrow(0, start, length).mm(rows.t());
            var own = Arithmetic.Range(start, start + length, ScalarType.Int64, correlations.device).unsqueeze(1);
            correlations.scatter_(1, own, Arithmetic.Full([length, 1], -2, ScalarType.Float32, correlations.device));
            var (values, indices) = correlations.topk(kept, 1);
            var (best, which) = (values.data<float>().ToArray(), indices.data<long>().ToArray());
            for (var row = 0; row < length; row++)
            {
                AtlasTogether[] others =
                [
                    .. Enumerable.Range(row * kept, kept).Where(i => best[i] >= LeastCorrelation).Select(i =>
                        new AtlasTogether(features[which[i]].Tally.Site, features[which[i]].Feature, Math.Round(best[i], 3))),
                ];
                if (others.Length > 0)
                    found[(features[start + row].Tally.Site, features[start + row].Feature)] = others;
            }
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
