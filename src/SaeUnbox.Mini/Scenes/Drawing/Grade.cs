namespace SaeUnbox.Mini.Scenes.Drawing;

/// <summary>The tint of a time of day for colours that do not glow: colour * tint + offset.</summary>
internal sealed record Grade(SceneTime Time, Rgb Tint, Rgb Offset)
{
    public bool IsNight => Time == SceneTime.Night;

    public Rgb Apply(Rgb color) => new(
        Math.Clamp(color.R * Tint.R + Offset.R, 0, 255),
        Math.Clamp(color.G * Tint.G + Offset.G, 0, 255),
        Math.Clamp(color.B * Tint.B + Offset.B, 0, 255));

    /// <summary>For the landscape.</summary>
    public static Grade Of(SceneTime time) => time switch
    {
        SceneTime.Day => new(time, new(1, 1, 1), new(0, 0, 0)),
        SceneTime.Sunset => new(time, new(.92f, .72f, .66f), new(20, 8, 14)),
        SceneTime.Night => new(time, new(.50f, .46f, .50f), new(4, 12, 44)),
        _ => new(time, new(.84f, .80f, .84f), new(30, 24, 36)),
    };

    /// <summary>For things: weaker, so that they stand out and keep recognizable colours.</summary>
    public static Grade OfThings(SceneTime time) => time switch
    {
        SceneTime.Day => Of(time),
        SceneTime.Sunset => new(time, new(.96f, .83f, .78f), new(10, 4, 8)),
        SceneTime.Night => new(time, new(.66f, .64f, .68f), new(10, 16, 44)),
        _ => new(time, new(.88f, .86f, .88f), new(22, 20, 28)),
    };
}
