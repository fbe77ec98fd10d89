using System.Collections.Immutable;

namespace SaeUnbox.Mini.Scenes;

/// <summary>A kind of thing in a caption, with its colour if the caption names one.</summary>
public readonly record struct NamedThing(ThingKind Kind, ThingColor? Color = null);

/// <summary>
/// What a caption determines about a scene. The rest (which slot holds what, colours, small shifts) is read from the noise; see
/// <see cref="NoisePatches"/> and <see cref="SceneLayout"/>.
/// </summary>
public sealed record SceneFacts
{
    public SceneTime Time { get; init; } = SceneTime.Day;

    public SceneGround Ground { get; init; } = SceneGround.Grass;

    public SceneFar Far { get; init; } = SceneFar.Hills;

    public SceneStyle Style { get; init; } = SceneStyle.Plain;

    /// <summary>Things on the ground, in caption order; null if the caption names none, so that the defaults of the ground apply.</summary>
    public ImmutableArray<NamedThing>? Things { get; init; }

    /// <summary>Whether the caption names things in the plural, so that most slots are filled.</summary>
    public bool Plural { get; init; }

    /// <summary>
    /// Things in the sky; empty for a clear sky; null if the caption does not mention it, so that the noise decides about clouds.
    /// </summary>
    public ImmutableArray<NamedThing>? SkyThings { get; init; }

    public bool Equals(SceneFacts? other) => other is not null
        && (Time, Ground, Far, Style, Plural) == (other.Time, other.Ground, other.Far, other.Style, other.Plural)
        && Same(Things, other.Things) && Same(SkyThings, other.SkyThings);

    public override int GetHashCode() => HashCode.Combine(Time, Ground, Far, Style, Plural, Things?.Length ?? -1, SkyThings?.Length ?? -1);

    private static bool Same(ImmutableArray<NamedThing>? a, ImmutableArray<NamedThing>? b) =>
        a is { } first && b is { } second ? first.AsSpan().SequenceEqual(second.AsSpan()) : a is null && b is null;
}
