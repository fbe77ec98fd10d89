using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

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
