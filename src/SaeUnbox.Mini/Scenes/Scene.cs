namespace SaeUnbox.Mini.Scenes;

/// <summary>
/// A scene: what the caption says, what the noise says, and what has been painted into it. Equal scenes are equal pixels.
/// </summary>
public sealed record Scene(SceneFacts Facts, NoisePatches Noise)
{
    /// <summary>Things put in by the brush, painted last of their row, over what the layout has there.</summary>
    public IReadOnlyList<PlacedThing> Added { get; init; } = [];

    /// <summary>Slots whose thing has been taken away.</summary>
    public IReadOnlyList<SceneSlot> Emptied { get; init; } = [];

    /// <summary>The things of the picture in the order of painting.</summary>
    public IReadOnlyList<PlacedThing> Things()
    {
        var laidOut = SceneLayout.Of(Facts, Noise).Where(placed => !Emptied.Contains(placed.Key)).Select(placed => placed.Value);
        return [.. laidOut.Concat(Added).OrderBy(thing => thing.Kind.IsOfSky() ? 0 : 1).ThenBy(thing => thing.Kind.IsOfSky() ? 0 : thing.Y)];
    }
}
