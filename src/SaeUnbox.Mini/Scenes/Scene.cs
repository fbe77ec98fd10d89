namespace SaeUnbox.Mini.Scenes;

/// <summary>
/// A scene: the facts of its caption, the noise, and what was painted into it. Equal scenes give equal pixels.
/// </summary>
public sealed record Scene(SceneFacts Facts, NoisePatches Noise)
{
    /// <summary>Things added with the brush. They are drawn over those of the layout.</summary>
    public IReadOnlyList<PlacedThing> Added { get; init; } = [];

    /// <summary>Slots whose thing was removed.</summary>
    public IReadOnlyList<SceneSlot> Emptied { get; init; } = [];

    /// <summary>All things, in drawing order.</summary>
    public IReadOnlyList<PlacedThing> Things()
    {
        var laidOut = SceneLayout.Of(Facts, Noise).Where(placed => !Emptied.Contains(placed.Key)).Select(placed => placed.Value);
        return [.. laidOut
            .Concat(Added)
            .OrderBy(thing => thing.Kind.IsOfSky() ? 0 : 1)
            .ThenBy(thing => thing.Kind.IsOfSky() ? 0 : thing.Y)];
    }
}
