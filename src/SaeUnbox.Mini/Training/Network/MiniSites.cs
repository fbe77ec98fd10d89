namespace SaeUnbox.Mini.Training;

/// <summary>The places in the U-Net where features are found and painted.</summary>
internal static class MiniSites
{
    /// <summary>The four sites, in the order the U-Net runs them.</summary>
    public static readonly IReadOnlyList<string> All = ["down.2.1", "mid.0", "up.0.0", "up.0.1"];

    /// <summary>The transformers that read the text after the first site: number i and on come after site i.</summary>
    public static readonly IReadOnlyList<string> ReadersAfter = ["mid.0", "up.0.0", "up.0.1", "up.0.2"];

    public const int Grid = Scenes.CellMask.Side;
}
