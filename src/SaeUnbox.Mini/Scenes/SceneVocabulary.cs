namespace SaeUnbox.Mini.Scenes;

/// <summary>The time of day. It determines the sky and tints all colours that do not glow.</summary>
public enum SceneTime { Day, Sunset, Night, Dawn }

/// <summary>The lower part of the picture.</summary>
public enum SceneGround { Grass, Sand, Snow, Sea }

/// <summary>The layer at the horizon.</summary>
public enum SceneFar { Hills, Forest, Mountains, City }

/// <summary>The filter applied to the finished picture.</summary>
public enum SceneStyle { Plain, Mosaic, Stripes, Sketch }

/// <summary>A thing on the ground or in the sky.</summary>
public enum ThingKind { House, Pine, Tree, Palm, Flower, Mushroom, Boat, Snowman, Cat, Cactus, Cloud, Balloon, Bird }

/// <summary>The colours of things that a caption can name.</summary>
public enum ThingColor { Red, Yellow, Blue, Purple }

public static class ThingKinds
{
    public static IReadOnlyList<ThingKind> OfGround { get; } = [.. Enum.GetValues<ThingKind>().Where(kind => !kind.IsOfSky())];

    public static IReadOnlyList<ThingKind> OfSky { get; } = [.. Enum.GetValues<ThingKind>().Where(kind => kind.IsOfSky())];

    public static bool IsOfSky(this ThingKind kind) => kind >= ThingKind.Cloud;

    public static bool TakesColor(this ThingKind kind) => kind is
        ThingKind.House or ThingKind.Flower or ThingKind.Mushroom or ThingKind.Boat or ThingKind.Cat or ThingKind.Balloon;

    /// <summary>The two colours between which the noise chooses if the caption names none.</summary>
    public static (ThingColor First, ThingColor Second) DefaultColors(this ThingKind kind) => kind switch
    {
        ThingKind.House => (ThingColor.Red, ThingColor.Blue),
        ThingKind.Flower => (ThingColor.Yellow, ThingColor.Red),
        ThingKind.Cat => (ThingColor.Yellow, ThingColor.Purple),
        ThingKind.Mushroom => (ThingColor.Red, ThingColor.Purple),
        ThingKind.Boat => (ThingColor.Yellow, ThingColor.Red),
        _ => (ThingColor.Red, ThingColor.Yellow),
    };
}
