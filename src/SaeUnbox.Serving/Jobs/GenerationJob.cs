namespace SaeUnbox.Serving;

/// <summary>A recipe to be run, and what is wanted of it.</summary>
/// <param name="Id">Names the job; to submit the same job twice runs it once.</param>
/// <param name="Recipe">What to make.</param>
public sealed record GenerationJob(Guid Id, Recipe Recipe)
{
    /// <summary>
    /// The canvas the picture is for. Of one canvas one job runs at a time, and a newer job replaces the one that waits. Null for
    /// a job on its own.
    /// </summary>
    public string? Canvas { get; init; }

    /// <summary>Who asks; jobs without a canvas take turns between those who ask.</summary>
    public string? Client { get; init; }

    /// <summary>The picture's format; null where only activations are wanted.</summary>
    public PictureFormat? Picture { get; init; } = PictureFormat.Png;

    /// <summary>The sites whose activations are wanted.</summary>
    public ValueList<HookSite> Sites { get; init; } = [];
}

public enum PictureFormat
{
    Png,
    Jpeg,
    WebP,
}
