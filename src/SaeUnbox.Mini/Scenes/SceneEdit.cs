namespace SaeUnbox.Mini.Scenes;

/// <summary>What a brush stroke is to bring about in some cells, and the picture that would be right.</summary>
public abstract record SceneEdit(CellMask Cells)
{
    /// <summary>What the stroke paints, as labels: a thing's kind with its colour, or one surface, time or style.</summary>
    public abstract IReadOnlyList<int> Labels { get; }

    /// <summary>
    /// Renders the edit's true result from two pictures: cells of the stroke from <c>Inside</c>, all others from <c>Outside</c>.
    /// </summary>
    public abstract (Scene Inside, Scene Outside) Truth(Scene scene);
}

/// <summary>One thing, as large as the stroke lets it be.</summary>
public sealed record ThingEdit(CellMask Cells, PlacedThing Thing) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => SceneLabels.Of(Thing);

    public override (Scene Inside, Scene Outside) Truth(Scene scene)
    {
        // A thing's shadow and what it hides lie a little outside the stroke as well.
        var edited = scene with { Added = [.. scene.Added, Thing] };
        return (edited, edited);
    }
}

/// <summary>One thing where things stand: it takes the place of what the scene has there, in the size that belongs to the place.</summary>
public sealed record SlotEdit(CellMask Cells, SceneSlot Slot, PlacedThing Thing) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => SceneLabels.Of(Thing);

    public override (Scene Inside, Scene Outside) Truth(Scene scene)
    {
        var edited = scene with { Emptied = [.. scene.Emptied, Slot], Added = [.. scene.Added, Thing] };
        return (edited, edited);
    }
}

/// <summary>Another time, ground, far layer or style inside the stroke.</summary>
public sealed record BackdropEdit(CellMask Cells, SceneFacts Facts, int Label) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => [Label];

    public override (Scene Inside, Scene Outside) Truth(Scene scene) => (scene with { Facts = Facts }, scene);
}
