namespace SaeUnbox.Core;

/// <summary>Bounds of a recipe's fields, for controls and messages.</summary>
public static class RecipeLimits
{
    public const int MaxNameLength = 100;
    public const int MaxPromptLength = 10_000;
    public const int MaxSteps = 1000;
    public const double MaxGuidance = 100;

    /// <summary>Width and height are multiples of this: one latent covers 8 x 8 pixels.</summary>
    public const int SideMultiple = 8;
    public const int MaxSide = 4096;
    public const double MinStrength = -40;
    public const double MaxStrength = 40;
    public const int MaxEdits = 64;

    /// <summary>Most cells of all masks together.</summary>
    public const int MaxMaskCells = 1 << 18;

    /// <summary>Longest JSON of a recipe, in characters; also the bound when a link is inflated, in bytes.</summary>
    public const int MaxJsonLength = 1 << 21;

    /// <summary>Longest link form, in characters.</summary>
    public const int MaxLinkLength = 1 << 17;
}
