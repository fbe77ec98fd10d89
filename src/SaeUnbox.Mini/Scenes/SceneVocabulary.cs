namespace SaeUnbox.Mini.Scenes;

/// <summary>The time of day: it decides the sky and grades every colour that does not glow.</summary>
public enum SceneTime { Day, Sunset, Night, Dawn }

/// <summary>What the lower part of the picture is made of.</summary>
public enum SceneGround { Grass, Sand, Snow, Sea }

/// <summary>What stands at the horizon.</summary>
public enum SceneFar { Hills, Forest, Mountains, City }

/// <summary>How the finished picture is treated.</summary>
public enum SceneStyle { Plain, Mosaic, Stripes, Sketch }

/// <summary>A single thing that stands on the ground or hangs in the sky.</summary>
public enum ThingKind { House, Pine, Tree, Palm, Flower, Mushroom, Boat, Snowman, Cat, Cactus, Cloud, Balloon, Bird }

/// <summary>The colours a caption can give to a thing.</summary>
public enum ThingColor { Red, Yellow, Blue, Purple }

/// <summary>Facts about kinds of things that are not a matter of drawing.</summary>
public static class ThingKinds
{
    public static IReadOnlyList<ThingKind> OfGround { get; } = [.. Enum.GetValues<ThingKind>().Where(kind => !kind.IsOfSky())];

    public static IReadOnlyList<ThingKind> OfSky { get; } = [.. Enum.GetValues<ThingKind>().Where(kind => kind.IsOfSky())];

    public static bool IsOfSky(this ThingKind kind) => kind >= ThingKind.Cloud;

    public static bool TakesColor(this ThingKind kind) => kind is
        ThingKind.House or ThingKind.Flower or ThingKind.Mushroom or ThingKind.Boat or ThingKind.Cat or ThingKind.Balloon;

    /// <summary>The two colours between which the noise decides where the caption names none.</summary>
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
