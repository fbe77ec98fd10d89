using System.ComponentModel.DataAnnotations;

namespace SaeUnbox.Web.Canvases;

/// <summary>Bounds of what visitors may do: the section "SaeUnbox:Canvases".</summary>
internal sealed class CanvasOptions
{
    public const string Section = "SaeUnbox:Canvases";

    /// <summary>Pictures a client may ask for in a second, over a while. The strokes of a pointer on its way are not among them.</summary>
    [Range(1, 10_000)]
    public int RequestsPerSecond { get; set; } = 40;

    /// <summary>Pictures a client may ask for at once.</summary>
    [Range(1, 100_000)]
    public int Burst { get; set; } = 120;

    /// <summary>Strokes of a canvas in a second while the pointer is on its way; the page sends 25.</summary>
    [Range(1, 10_000)]
    public int StrokesPerSecond { get; set; } = 50;

    /// <summary>The same, at once.</summary>
    [Range(1, 100_000)]
    public int StrokeBurst { get; set; } = 100;

    /// <summary>Most canvases of one client that may wait for a picture at the same moment; each has one job in flight.</summary>
    [Range(1, 1_000_000)]
    public int BusyPerClient { get; set; } = 32;

    /// <summary>Searches, features and kept recipes a client may ask for in a second, over a while.</summary>
    [Range(1, 10_000)]
    public int ReadingsPerSecond { get; set; } = 100;

    /// <summary>The same, at once.</summary>
    [Range(1, 100_000)]
    public int ReadingBurst { get; set; } = 400;

    /// <summary>How long a canvas nobody looks at is kept, so that a page that lost its connection finds it again.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Keep { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Most canvases that are kept.</summary>
    [Range(1, 1_000_000)]
    public int Most { get; set; } = 5000;

    /// <summary>Most canvases of one client; behind one address there may be many people.</summary>
    [Range(1, 1_000_000)]
    public int MostPerClient { get; set; } = 200;

    /// <summary>Longest prompt a visitor may send, in characters.</summary>
    [Range(1, 10_000)]
    public int PromptLength { get; set; } = 1000;

    /// <summary>Most denoising steps a visitor may ask for.</summary>
    [Range(1, RecipeLimits.MaxSteps)]
    public int Steps { get; set; } = 100;

    /// <summary>Most pixels a visitor's picture may have.</summary>
    [Range(64, RecipeLimits.MaxSide * RecipeLimits.MaxSide)]
    public int Pixels { get; set; } = 2048 * 2048;
}
