namespace SaeUnbox.Mini.Scenes.Drawing;

/// <summary>A colour; each component is 0 to 255.</summary>
internal readonly record struct Rgb(float R, float G, float B)
{
    public Rgb Darker(float factor) => new(R * factor, G * factor, B * factor);

    /// <summary>Mixes the colour with white: factor 1 is the colour itself, 0 is white.</summary>
    public Rgb Lighter(float factor) => new(255 - (255 - R) * factor, 255 - (255 - G) * factor, 255 - (255 - B) * factor);

    public static Rgb Mix(Rgb a, Rgb b, float share) =>
        new(a.R + (b.R - a.R) * share, a.G + (b.G - a.G) * share, a.B + (b.B - a.B) * share);
}
