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

/// <summary>What a feature may be named after: something that is known to be in the cells of a scene, or not.</summary>
/// <param name="Text">Such as "house", "red house", "sea at night", "around a house", "sky".</param>
/// <param name="Element">What a brush can paint of it; null if nothing.</param>
/// <param name="Applies">Whether it is in a cell.</param>
internal sealed record FeatureName(string Text, SteeringElement? Element, Func<SceneCells, int, bool> Applies)
{
    /// <summary>The plain elements first, in the order of <see cref="SteeringElement.All"/>.</summary>
    public static IReadOnlyList<FeatureName> All { get; } =
    [
        .. SteeringElement.All.Select(element => new FeatureName(element.Name, element, Shows(element.Label))),
        new("sky", null, (cells, cell) => cells.IsSky(cell)),
        new("ground", null, (cells, cell) => cells.IsGround(cell)),
        new("distance", null, Any("far")),
        new("something on the ground", null, Any("thing", kind => !kind.IsOfSky())),
        new("something in the sky", null, Any("thing", kind => kind.IsOfSky())),
        .. Enum.GetValues<ThingColor>()
            .Select(color => new FeatureName($"something {Names.Of(color)}", null, Shows(SceneLabels.Of(color)))),
        .. SceneElement.All.Where(one => one.Thing?.Color is not null)
            .Select(one => new FeatureName(one.Name, Plain(SceneLabels.Of(one.Thing!.Value.Kind)), Shows(one.Labels))),
        .. from time in Enum.GetValues<SceneTime>()
           from place in SteeringElement.All.Where(element => element.Group is "thing" or "ground" or "far")
           select new FeatureName($"{place.Name} {At(time)}", place, Shows(place.Label, SceneLabels.Of(time))),
        .. from time in Enum.GetValues<SceneTime>()
           let label = SceneLabels.Of(time)
           select new FeatureName($"sky {At(time)}", Plain(label), (cells, cell) => cells.IsSky(cell) && cells.Shows(label, cell)),
        .. SteeringElement.All.Where(element => element.Group == "thing").Select(element =>
            new FeatureName($"around a {element.Name}", element, (cells, cell) => cells.IsNear(element.Label, cell))),
    ];

    /// <summary>For each cell of a scene the numbers of the names that apply there.</summary>
    public static int[][] In(ScenePicture picture)
    {
        var cells = new SceneCells(picture);
        return [.. Enumerable.Range(0, SceneCells.Count).Select(cell =>
            All.Index().Where(name => name.Item.Applies(cells, cell)).Select(name => name.Index).ToArray())];
    }

    private static Func<SceneCells, int, bool> Shows(params IReadOnlyList<int> labels) =>
        (cells, cell) => labels.All(label => cells.Shows(label, cell));

    private static Func<SceneCells, int, bool> Any(string group, Func<ThingKind, bool>? only = null)
    {
        int[] labels = [.. SteeringElement.All.Where(element => element.Group == group)
            .Where(element => only is null || only(element.Kind!.Value)).Select(element => element.Label)];
        return (cells, cell) => labels.Any(label => cells.Shows(label, cell));
    }

    private static SteeringElement Plain(int label) => SteeringElement.All.Single(element => element.Label == label);

    private static string At(SceneTime time) => time == SceneTime.Day ? "by day" : $"at {Names.Of(time)}";
}

/// <summary>What the cells of a scene show, row by row.</summary>
internal sealed class SceneCells(ScenePicture picture)
{
    public const int Count = CellMask.Side * CellMask.Side;

    private const float Most = .5f;

    private readonly byte[] _labels = SceneLabels.Of(picture);
    private readonly CellShares _shares = CellShares.Of(picture);

    /// <summary>Whether a label of <see cref="SceneLabels"/> applies.</summary>
    public bool Shows(int label, int cell) => _labels[label * Count + cell] == 1;

    /// <summary>Whether it applies here, or in one of the eight cells around.</summary>
    public bool IsNear(int label, int cell)
    {
        var (row, column) = (cell / CellMask.Side, cell % CellMask.Side);
        for (var y = Math.Max(0, row - 1); y <= Math.Min(CellMask.Side - 1, row + 1); y++)
            for (var x = Math.Max(0, column - 1); x <= Math.Min(CellMask.Side - 1, column + 1); x++)
                if (Shows(label, y * CellMask.Side + x))
                    return true;
        return false;
    }

    public bool IsGround(int cell) => _shares.Ground[cell] >= Most;

    public bool IsSky(int cell) => 1 - _shares.Ground[cell] - _shares.Far[cell] > Most;
}
