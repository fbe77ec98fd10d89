using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>
/// Names features after what is in the cells where they are active, in scenes of which the truth is known, and checks the names in others.
/// </summary>
internal sealed class FeatureNaming(MiniModel model, SaeSet saes, MiniEvaluationOptions options)
{
    private const int NamePurpose = 30, CheckPurpose = 31, Batch = 8;

    // A plain name is chosen before a narrower one that fits little better.
    private const double Narrower = 1.3;

    private static readonly int PlainNames = SteeringElement.All.Count;

    /// <param name="progress">Receives the number of scenes done.</param>
    public IReadOnlyList<NamedFeature> Run(Action<int> progress, CancellationToken cancellation)
    {
        var known = Read(NamePurpose, progress, cancellation);
        var others = Read(CheckPurpose, done => progress(options.NamingScenes + done), cancellation);
        return
        [
            .. from site in MiniModel.Sites
               from feature in Enumerable.Range(0, saes[site].Features).AsParallel().AsOrdered()
                   .Select(feature => Name(site, feature, known[site], others[site]))
               select feature,
        ];
    }

    private static NamedFeature Name(Site site, int feature, FeatureCells known, FeatureCells others)
    {
        var fitting = known
            .Scores(feature)
            .Where(score => score.FitsSurely)
            .Select(score => (Score: score, Iou: known.Iou(feature, score.Name)))
            .ToArray();
        if (fitting.Length == 0)
            return new(site, feature, null, null, null, null);
        var best = fitting.MaxBy(one => one.Iou * (one.Score.Name < PlainNames ? Narrower : 1)).Score.Name;
        var name = FeatureName.All[best];
        return new(site, feature, name.Text, name.Element?.Name, Detection(known), Detection(others));

        FeatureDetection? Detection(FeatureCells cells) => cells.Scores(feature) is { Count: > 0 } all
            ? new(Math.Round(all[best].Auc, 3), Math.Round(all[best].Share, 3), Math.Round(cells.Iou(feature, best), 3))
            : null;
    }

    /// <summary>Runs scenes.</summary>
    /// <param name="purpose">Scenes of different purposes differ.</param>
    public Dictionary<Site, FeatureCells> Read(int purpose, Action<int> progress, CancellationToken cancellation)
    {
        var scenes = new List<int[][]>();
        var sites = MiniModel.Sites.ToDictionary(site => site, site => new FeatureCells(saes[site].Features, scenes));
        foreach (var numbers in Enumerable.Range(0, options.NamingScenes).Chunk(Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            CaptionedScene[] drawn =
                [.. numbers.Select(i => CaptionedScene.Draw(RandomAt.Place(options.Seed, purpose, i), new SceneMix()))];
            scenes.AddRange(drawn.AsParallel().AsOrdered()
                .Select(scene => FeatureName.In(SceneRenderer.Render(scene.Scene, SceneProbe.Size))));
            using var run = model.Run(drawn);
            foreach (var (site, cells) in sites)
            {
                using var codes = saes[site].Encode(run.Difference(site));
                cells.Add(codes, numbers[0]);
            }
            progress(numbers[^1] + 1);
        }
        return sites;
    }
}

/// <summary>A feature, what it is named after, and what painting it is judged by.</summary>
/// <param name="Name">Null if it detects nothing that has a name.</param>
/// <param name="Element">What a brush can paint of what it is named after; null if nothing.</param>
/// <param name="Detection">Null without a name.</param>
/// <param name="Checked">The same in other scenes; null if it is active in none of them.</param>
internal sealed record NamedFeature(Site Site, int Feature, string? Name, string? Element, FeatureDetection? Detection,
    FeatureDetection? Checked);
