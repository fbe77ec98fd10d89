namespace SaeUnbox.Web.Canvases;

/// <summary>News of a canvas, for everyone who looks at it.</summary>
/// <param name="Version">The version of the recipe it is about.</param>
internal abstract record CanvasUpdate(long Version)
{
    /// <summary>The recipe is another one now, and a job makes its picture.</summary>
    internal sealed record Changed(long Version, Recipe Recipe, bool IsStroke, Guid Job) : CanvasUpdate(Version);

    /// <summary>A picture, newer than every one before it.</summary>
    internal sealed record Frame(long Version, GenerationResult Result, string MediaType) : CanvasUpdate(Version);

    /// <summary>It waits or runs.</summary>
    internal sealed record Status(long Version, GenerationProgress Progress) : CanvasUpdate(Version);

    /// <summary>It could not be made, in one sentence.</summary>
    internal sealed record Rejected(long Version, string Message, TimeSpan? RetryAfter) : CanvasUpdate(Version);
}
