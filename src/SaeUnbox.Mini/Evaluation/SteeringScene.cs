using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>An element that can be painted and recognised: a kind of thing, a ground, a far layer, a time or a style.</summary>
/// <param name="Label">Number of its label.</param>
/// <param name="Group">"thing", "ground", "far", "time" or "style".</param>
/// <param name="Name">The answer of the probe.</param>
internal sealed record SteeringElement(int Label, string Group, string Name)
{
    /// <summary>All labels except colours, which need a thing.</summary>
    public static IReadOnlyList<SteeringElement> All { get; } =
    [
        .. SceneLabels.Names.Index().Select(label => (label.Index, Parts: label.Item.Split(':')))
            .Where(label => label.Parts[0] != "color").Select(label => new SteeringElement(label.Index, label.Parts[0], label.Parts[1])),
    ];

    /// <summary>The kind of thing; null for other elements.</summary>
    public ThingKind? Kind => Group == "thing" ? Enum.Parse<ThingKind>(Name, ignoreCase: true) : null;

    /// <summary>Whether a scene shows the element.</summary>
    public bool IsIn(Scene scene) => Kind is { } kind ? scene.Things().Any(thing => thing.Kind == kind) : SetIn(scene.Facts) == scene.Facts;

    /// <summary>Facts with this ground, far layer, time or style.</summary>
    public SceneFacts SetIn(SceneFacts facts) => Backdrop.Apply(facts);

    /// <summary>Facts of a caption that asks for the element.</summary>
    public SceneFacts PutInto(SceneFacts facts) => Kind is not { } kind ? SetIn(facts)
        : kind.IsOfSky() ? facts with { SkyThings = [new(kind)] }
        : facts with { Things = [new(kind)], Plural = true };

    /// <summary>
    /// Facts of a caption that does not ask for the element, and for another backdrop if it is one; null if there is none.
    /// </summary>
    public SceneFacts? TakenFrom(SceneFacts facts) => Kind is not { } kind ? Backdrop.Without(facts)
        : kind.IsOfSky() ? facts with { SkyThings = [] }
        : facts with { Things = [.. (facts.Things ?? []).Where(thing => thing.Kind != kind)] };

    private SceneElement Backdrop => SceneElement.All.Single(one => one.Thing is null && one.Labels[0] == Label);
}

/// <summary>A captioned scene, the cells to paint, and the answers from which the probe chooses there.</summary>
internal sealed record SteeringScene(CaptionedScene Captioned, CellMask Cells, IReadOnlyList<ProbeAnswer> Answers)
{
    private const int Box = 4, Side = CellMask.Side;

    /// <summary>The place of the thing that the cells are those of; null for other cells.</summary>
    public SceneSlot? Slot { get; init; }

    /// <summary>A scene without the element, and a box of 4 x 4 cells where it could be.</summary>
    public static SteeringScene Unrelated(Random random, SteeringElement element)
    {
        SceneFacts facts;
        CaptionedScene captioned;
        do
        {
            facts = SceneSampler.Draw(random, new SceneMix());
            captioned = CaptionedScene.Draw(random, facts);
        }
        while (element.IsIn(captioned.Scene));
        return InBox(random, captioned, element);
    }

    /// <summary>A scene with the element, and the cells where it is; null if the noise leaves no room for it.</summary>
    public static SteeringScene? With(Random random, SteeringElement element)
    {
        var facts = SceneSampler.Draw(random, new SceneMix());
        if (element.Kind is not { } kind)
            return InBox(random, CaptionedScene.Draw(random, element.SetIn(facts)), element);
        facts = element.PutInto(facts);
        var captioned = CaptionedScene.Draw(random, facts);
        var placed = SceneLayout.Of(facts, captioned.Scene.Noise).Where(entry => entry.Value.Kind == kind).ToArray();
        return placed.Length == 0 ? null : Over(captioned, placed[random.Next(placed.Length)]);
    }

    /// <summary>
    /// A scene without the element, and the cells of a thing that stands where the element could; null if there is none, or if the element
    /// is no thing.
    /// </summary>
    public static SteeringScene? Occupied(Random random, SteeringElement element)
    {
        if (element.Kind is not { } kind)
            return null;
        var captioned = Unrelated(random, element).Captioned;
        var placed = SceneLayout.Of(captioned.Scene.Facts, captioned.Scene.Noise)
            .Where(entry => entry.Key.IsOfSky == kind.IsOfSky()).ToArray();
        return placed.Length == 0 ? null : Over(captioned, placed[random.Next(placed.Length)]);
    }

    // The cells of a thing that stands there.
    private static SteeringScene Over(CaptionedScene captioned, KeyValuePair<SceneSlot, PlacedThing> placed)
    {
        var (top, left, height, width) = CellsOf(placed.Value);
        return new(captioned, CellMask.Box(top, left, height, width), SceneQuestions.Things(captioned.Scene, placed.Key))
        {
            Slot = placed.Key,
        };
    }

    private static SteeringScene InBox(Random random, CaptionedScene captioned, SteeringElement element)
    {
        if (element.Kind is { } kind)
            return InSlot(random, captioned, kind);
        var (top, left) = (element.Group switch
        {
            "ground" => random.Next(10, 13),
            "far" => 5,
            "time" => random.Next(0, 5),
            _ => random.Next(0, 13),
        }, random.Next(0, Side - Box + 1));
        return new(captioned, CellMask.Box(top, left, Box, Box), SceneQuestions.Backdrops(captioned.Scene, element.Group));
    }

    // 4 x 4 cells at a slot, which may already hold another thing.
    private static SteeringScene InSlot(Random random, CaptionedScene captioned, ThingKind kind)
    {
        var slot = new SceneSlot(random.Next(2) + (kind.IsOfSky() ? 0 : 2), random.Next(4));
        var (top, left, height, width) = CellsOf(SceneLayout.Place(new(kind), captioned.Scene.Noise, slot));
        var (row, column) = (slot.IsOfSky ? top + (height - Box) / 2 : top + height - Box, left + (width - Box) / 2);
        return new(captioned, CellMask.Box(Math.Clamp(row, 0, Side - Box), Math.Clamp(column, 0, Side - Box), Box, Box),
            SceneQuestions.Things(captioned.Scene, slot));
    }

    /// <summary>The cells that a thing may fill.</summary>
    public static (int Top, int Left, int Height, int Width) CellsOf(PlacedThing thing)
    {
        var bounds = ThingBounds.Of(thing.Kind);
        var (top, left) = (Cell(thing.Y + bounds.Top * thing.Size, 0), Cell(thing.X + bounds.Left * thing.Size, 0));
        var (bottom, right) = (Cell(thing.Y + bounds.Bottom * thing.Size, .999f), Cell(thing.X + bounds.Right * thing.Size, .999f));
        return (top, left, bottom - top, right - left);

        static int Cell(float share, float rounding) => (int)MathF.Floor(share * Side + rounding);
    }
}
