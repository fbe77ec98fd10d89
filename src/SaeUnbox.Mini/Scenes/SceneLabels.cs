using SaeUnbox.Mini.Scenes.Drawing;

namespace SaeUnbox.Mini.Scenes;

/// <summary>
/// Labels for everything that a scene can show, per cell. Time and style apply everywhere. A ground or far layer applies to a cell if it
/// fills a quarter of it (things in front do not count); a thing and its colour apply if they fill a fifth of the cell.
/// </summary>
public static class SceneLabels
{
    private const int Cells = CellMask.Side * CellMask.Side;
    private const float SurfaceShare = .25f, ThingShare = .20f;
    private static readonly int FirstGround = Enum.GetValues<SceneTime>().Length;
    private static readonly int FirstFar = FirstGround + Enum.GetValues<SceneGround>().Length;
    private static readonly int FirstStyle = FirstFar + Enum.GetValues<SceneFar>().Length;
    private static readonly int FirstThing = FirstStyle + Enum.GetValues<SceneStyle>().Length - 1;
    private static readonly int FirstColor = FirstThing + Enum.GetValues<ThingKind>().Length;

    public static IReadOnlyList<string> Names { get; } =
    [
        .. Named<SceneTime>("time"), .. Named<SceneGround>("ground"), .. Named<SceneFar>("far"), .. Named<SceneStyle>("style").Skip(1),
        .. Named<ThingKind>("thing"), .. Named<ThingColor>("color"),
    ];

    public static int Count => Names.Count;

    public static int Of(SceneTime time) => (int)time;

    public static int Of(SceneGround ground) => FirstGround + (int)ground;

    public static int Of(SceneFar far) => FirstFar + (int)far;

    /// <summary>Null for the plain style, which has no label.</summary>
    public static int? Of(SceneStyle style) => style == SceneStyle.Plain ? null : FirstStyle + (int)style - 1;

    public static int Of(ThingKind kind) => FirstThing + (int)kind;

    public static int Of(ThingColor color) => FirstColor + (int)color;

    /// <summary>The labels of a thing's kind and, if the kind has colours, of its colour.</summary>
    public static IReadOnlyList<int> Of(PlacedThing thing) =>
        thing.Kind.TakesColor() ? [Of(thing.Kind), Of(thing.Color)] : [Of(thing.Kind)];

    /// <returns>[label, row, column] on the 16x16 grid, flattened: 1 where a label applies, otherwise 0.</returns>
    public static byte[] Of(ScenePicture picture)
    {
        var labels = new byte[Count * Cells];
        var facts = picture.Scene.Facts;
        var shares = CellShares.Of(picture);
        for (var cell = 0; cell < Cells; cell++)
        {
            Set(Of(facts.Time));
            if (Of(facts.Style) is { } style)
                Set(style);
            if (shares.Ground[cell] >= SurfaceShare)
                Set(Of(facts.Ground));
            if (shares.Far[cell] >= SurfaceShare)
                Set(Of(facts.Far));
            foreach (var kind in shares.Kinds)
            {
                var (share, main) = shares.OfKind(kind, cell);
                if (share < ThingShare)
                    continue;
                Set(Of(kind));
                if (kind.TakesColor())
                    Set(Of(picture.Things[main].Color));
            }

            void Set(int label) => labels[label * Cells + cell] = 1;
        }
        return labels;
    }

    private static IEnumerable<string> Named<T>(string group) where T : struct, Enum =>
        Enum.GetNames<T>().Select(name => $"{group}:{name.ToLowerInvariant()}");
}

/// <summary>How much of each cell shows what, as a fraction of its pixels.</summary>
internal sealed class CellShares
{
    private const int Cells = CellMask.Side * CellMask.Side;
    private readonly float[][] _things;
    private readonly IReadOnlyList<PlacedThing> _placed;

    private CellShares(IReadOnlyList<PlacedThing> placed)
    {
        _placed = placed;
        _things = [.. placed.Select(_ => new float[Cells])];
        Kinds = [.. placed.Select(thing => thing.Kind).Distinct()];
    }

    public float[] Ground { get; } = new float[Cells];

    public float[] Far { get; } = new float[Cells];

    public IReadOnlyList<ThingKind> Kinds { get; }

    /// <summary>The fraction of a cell that things of a kind fill, and the index of the one that fills most.</summary>
    public (float Share, int Main) OfKind(ThingKind kind, int cell)
    {
        var (share, main, most) = (0f, -1, -1f);
        for (var i = 0; i < _things.Length; i++)
            if (_placed[i].Kind == kind)
            {
                share += _things[i][cell];
                if (_things[i][cell] > most)
                    (most, main) = (_things[i][cell], i);
            }
        return (share, main);
    }

    public static CellShares Of(ScenePicture picture)
    {
        var shares = new CellShares(picture.Things);
        var pixels = new float[Cells];
        for (var row = 0; row < picture.Size; row++)
            for (var column = 0; column < picture.Size; column++)
            {
                var cell = row * CellMask.Side / picture.Size * CellMask.Side + column * CellMask.Side / picture.Size;
                pixels[cell]++;
                var surface = picture.SurfaceAt(row, column);
                if (surface == Surface.Ground)
                    shares.Ground[cell]++;
                else if (surface == Surface.Far)
                    shares.Far[cell]++;
                if (picture.ThingAt(row, column) is >= 0 and var thing)
                    shares._things[thing][cell]++;
            }
        foreach (var counts in shares._things.Append(shares.Ground).Append(shares.Far))
            for (var cell = 0; cell < Cells; cell++)
                counts[cell] /= pixels[cell];
        return shares;
    }
}

/// <summary>A set of cells in the 16x16 grid of the brush and the labels.</summary>
public sealed class CellMask
{
    public const int Side = 16;
    private readonly bool[] _cells;

    private CellMask(Func<int, int, bool> holds)
    {
        _cells = new bool[Side * Side];
        for (var i = 0; i < _cells.Length; i++)
            _cells[i] = holds(i / Side, i % Side);
    }

    public bool this[int row, int column] => _cells[row * Side + column];

    /// <summary>Row by row.</summary>
    public ReadOnlySpan<bool> Cells => _cells;

    /// <summary>A box of cells, clipped to the grid.</summary>
    public static CellMask Box(int top, int left, int height, int width) =>
        new((row, column) => row >= top && row < top + height && column >= left && column < left + width);

    /// <summary>The cells of this mask that are, or are not, in another one.</summary>
    public CellMask Part(CellMask other, bool inside) => new((row, column) => this[row, column] && other[row, column] == inside);

    /// <summary>The cells whose centre is inside an ellipse. Coordinates are in cells.</summary>
    public static CellMask Ellipse(double centerRow, double centerColumn, double radiusRows, double radiusColumns) =>
        new((row, column) => Square((row + .5 - centerRow) / radiusRows) + Square((column + .5 - centerColumn) / radiusColumns) <= 1);

    private static double Square(double x) => x * x;
}
