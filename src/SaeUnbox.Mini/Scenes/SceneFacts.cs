using System.Collections.Immutable;

namespace SaeUnbox.Mini.Scenes;

/// <summary>A kind the caption names, with the colour it names for it, if any.</summary>
public readonly record struct NamedThing(ThingKind Kind, ThingColor? Color = null);

/// <summary>
/// Everything a caption can settle about a scene. What it leaves open (which slot holds what, colours, small shifts)
/// is read from the noise: see <see cref="NoisePatches"/> and <see cref="SceneLayout"/>.
/// </summary>
public sealed record SceneFacts
{
    public SceneTime Time { get; init; } = SceneTime.Day;

    public SceneGround Ground { get; init; } = SceneGround.Grass;

    public SceneFar Far { get; init; } = SceneFar.Hills;

    public SceneStyle Style { get; init; } = SceneStyle.Plain;

    /// <summary>Named things on the ground, in caption order; null: the caption names none and the ground's own defaults apply.</summary>
    public ImmutableArray<NamedThing>? Things { get; init; }

    /// <summary>The named things are in the plural: most slots are filled.</summary>
    public bool Plural { get; init; }

    /// <summary>Named things in the sky; empty: a clear sky; null: unnamed, clouds as the noise has them.</summary>
    public ImmutableArray<NamedThing>? SkyThings { get; init; }

    public bool Equals(SceneFacts? other) => other is not null
        && (Time, Ground, Far, Style, Plural) == (other.Time, other.Ground, other.Far, other.Style, other.Plural)
        && Same(Things, other.Things) && Same(SkyThings, other.SkyThings);

    public override int GetHashCode() => HashCode.Combine(Time, Ground, Far, Style, Plural, Things?.Length ?? -1, SkyThings?.Length ?? -1);

    private static bool Same(ImmutableArray<NamedThing>? a, ImmutableArray<NamedThing>? b) =>
        a is { } first && b is { } second ? first.AsSpan().SequenceEqual(second.AsSpan()) : a is null && b is null;
}
