namespace SaeUnbox.Mini.Evaluation;

/// <summary>What the cells of many scenes show, and how active the features of a site are in each.</summary>
/// <param name="features">Size of the site's dictionary.</param>
/// <param name="scenes">For each scene and cell the numbers of the names that apply, see <see cref="FeatureName.In"/>.</param>
internal sealed class FeatureCells(int features, IReadOnlyList<int[][]> scenes)
{
    private readonly List<(int Scene, int Cell, float Value)>[] _active =
        [.. Enumerable.Range(0, features).Select(_ => new List<(int, int, float)>())];

    // In how many cells each name applies.
    private readonly Lazy<long[]> _sizes = new(() =>
    {
        var sizes = new long[FeatureName.All.Count];
        foreach (var name in scenes.SelectMany(scene => scene).SelectMany(names => names))
            sizes[name]++;
        return sizes;
    });

    public int Features => features;

    /// <param name="codes">[scenes, 16, 16, k].</param>
    /// <param name="first">Number of the first of these scenes.</param>
    public void Add(SparseCodes codes, int first)
    {
        using var scope = TorchSharp.torch.NewDisposeScope();
        var k = (int)codes.Indices.shape[^1];
        var (indices, values) = (codes.Indices.cpu().contiguous().data<long>().ToArray(),
            codes.Values.cpu().contiguous().data<float>().ToArray());
        for (var i = 0; i < indices.Length; i++)
            if (values[i] > 0)
                _active[indices[i]].Add((first + i / k / SceneCells.Count, i / k % SceneCells.Count, values[i]));
    }

    /// <summary>How a feature goes with each name; empty if it is never active.</summary>
    public IReadOnlyList<NameScore> Scores(int feature)
    {
        var active = _active[feature];
        if (active.Count == 0)
            return [];
        var (inside, cells) = (new double[FeatureName.All.Count], new long[FeatureName.All.Count]);
        foreach (var (scene, cell, value) in active)
            foreach (var name in scenes[scene][cell])
            {
                inside[name] += value;
                cells[name]++;
            }
        var (whole, seen) = (active.Sum(one => (double)one.Value), active.Select(one => one.Scene).Distinct().Count());
        var rest = (double)scenes.Count * SceneCells.Count - active.Count;
        return [.. inside.Select((sum, name) => new NameScore(name, sum / whole, (_sizes.Value[name] - cells[name]) / rest, seen))];
    }

    /// <summary>
    /// The largest intersection over union of a name's cells and those where the feature is active, and at least as much as a threshold.
    /// </summary>
    public double Iou(int feature, int name)
    {
        var (best, hits, found) = (0.0, 0L, 0L);
        foreach (var (scene, cell, _) in _active[feature].OrderByDescending(one => one.Value))
        {
            hits += scenes[scene][cell].Contains(name) ? 1 : 0;
            best = Math.Max(best, (double)hits / (++found + _sizes.Value[name] - hits));
        }
        return best;
    }
}

/// <summary>How a feature goes with a name.</summary>
/// <param name="Share">Share of the feature's activation in cells where the name applies.</param>
/// <param name="Elsewhere">Share of the cells without the feature where the name applies.</param>
/// <param name="Scenes">In how many scenes the feature is active.</param>
internal readonly record struct NameScore(int Name, double Share, double Elsewhere, int Scenes)
{
    /// <summary>See <see cref="FeatureDetection"/>.</summary>
    public double Auc => AucOf(Share);

    /// <summary>
    /// Whether the name fits with two standard errors to spare. Cells of one scene are alike, so scenes count, and two more that disagree,
    /// so that few scenes prove little (Agresti and Coull, The American Statistician 52, 1998).
    /// </summary>
    public bool FitsSurely
    {
        get
        {
            var share = (Share * Scenes + 1) / (Scenes + 2);
            share -= 2 * Math.Sqrt(share * (1 - share) / (Scenes + 2));
            return new FeatureDetection(AucOf(share), share, 0).Fits;
        }
    }

    private double AucOf(double share) => .5 + .5 * (share - Elsewhere);
}
