using System.Globalization;

namespace SaeUnbox.Web.Components.Pages.Features;

/// <summary>The part of a map that is shown.</summary>
/// <param name="X">Its left edge, as a share of the whole width.</param>
/// <param name="Y">Its upper edge, as a share of the whole height.</param>
/// <param name="Scale">The enlargement, from 1.</param>
public sealed record MapView(double X, double Y, double Scale)
{
    private const double MaxScale = 24;

    public static MapView Whole { get; } = new(0, 0, 1);

    public MapView Bound() => new(Math.Clamp(X, -1, 2), Math.Clamp(Y, -1, 2), Math.Clamp(Scale, 1, MaxScale));

    /// <summary>Reads the form of <see cref="ToString"/>; the whole map for another.</summary>
    public static MapView Parse(string? text) =>
        text?.Split('_') is [var x, var y, var scale] && PlainNumber.TryReal(x, out var left) && PlainNumber.TryReal(y, out var top)
            && PlainNumber.TryReal(scale, out var size)
            ? new MapView(left, top, size).Bound() : Whole;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{X:0.###}_{Y:0.###}_{Scale:0.##}");
}
