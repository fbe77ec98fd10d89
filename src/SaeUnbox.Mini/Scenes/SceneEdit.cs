namespace SaeUnbox.Mini.Scenes;

/// <summary>The intended effect of a brush stroke on some cells, and the ideal result.</summary>
public abstract record SceneEdit(CellMask Cells)
{
    /// <summary>The labels of what the stroke paints: a thing's kind and colour, or one ground, far layer, time or style.</summary>
    public abstract IReadOnlyList<int> Labels { get; }

    /// <summary>
    /// The ideal result, as two scenes: the cells of the stroke show <c>Inside</c>, all others show <c>Outside</c>.
    /// </summary>
    public abstract (Scene Inside, Scene Outside) Truth(Scene scene);
}

/// <summary>Adds a thing, as large as the stroke allows.</summary>
public sealed record ThingEdit(CellMask Cells, PlacedThing Thing) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => SceneLabels.Of(Thing);

    public override (Scene Inside, Scene Outside) Truth(Scene scene)
    {
        // A thing also changes a few pixels outside the stroke, such as its shadow.
        var edited = scene with { Added = [.. scene.Added, Thing] };
        return (edited, edited);
    }
}

/// <summary>Replaces the thing in a slot by another of the slot's size.</summary>
public sealed record SlotEdit(CellMask Cells, SceneSlot Slot, PlacedThing Thing) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => SceneLabels.Of(Thing);

    public override (Scene Inside, Scene Outside) Truth(Scene scene)
    {
        var edited = scene with { Emptied = [.. scene.Emptied, Slot], Added = [.. scene.Added, Thing] };
        return (edited, edited);
    }
}

/// <summary>Changes the time, ground, far layer or style inside the stroke.</summary>
public sealed record BackdropEdit(CellMask Cells, SceneFacts Facts, int Label) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => [Label];

    public override (Scene Inside, Scene Outside) Truth(Scene scene) => (scene with { Facts = Facts }, scene);
}
