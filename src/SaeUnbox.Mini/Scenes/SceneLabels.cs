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
