using System.Globalization;

namespace SaeUnbox.Models;

/// <summary>
/// What to make. Prompts, negative prompts and seeds each hold one entry for all images, or one for every image of the batch;
/// an image comes out as it would alone.
/// </summary>
public sealed record ImageRequest
{
    public required IReadOnlyList<string> Prompts { get; init; }

    /// <summary>Null: absent, which is not the same as empty (force_zeros_for_empty_prompt).</summary>
    public IReadOnlyList<string>? NegativePrompts { get; init; }

    /// <summary>0 to 2^63 - 1; only the low 32 bits count.</summary>
    public required IReadOnlyList<long> Seeds { get; init; }

    public int Steps { get; init; } = 1;

    /// <summary>Above 1 it is classifier-free guidance (arXiv 2207.12598), and every step takes two passes.</summary>
    public double Guidance { get; init; }

    /// <summary>In pixels.</summary>
    public int Height { get; init; } = 512;

    /// <summary>In pixels.</summary>
    public int Width { get; init; } = 512;

    public bool IsGuided => Guidance > 1;

    /// <summary>Images of the batch.</summary>
    public int BatchSize => Math.Max(Math.Max(Prompts.Count, Seeds.Count), NegativePrompts?.Count ?? 0);

    /// <exception cref="ModelException">A value cannot be used; the message names it.</exception>
    public void Validate(int sizeMultiple)
    {
        CheckCount("prompts", Prompts.Count);
        CheckCount("seeds", Seeds.Count);
        CheckCount("negative prompts", NegativePrompts?.Count ?? 1);
        CheckSide("height", Height, sizeMultiple);
        CheckSide("width", Width, sizeMultiple);
        if (!double.IsFinite(Guidance))
        {
            throw new ModelException(string.Create(CultureInfo.InvariantCulture, $"The guidance must be a finite number, and is {Guidance}."));
        }
    }

    private void CheckCount(string what, int count)
    {
        if (count != 1 && count != BatchSize)
        {
            throw new ModelException($"A batch of {BatchSize} takes 1 or {BatchSize} {what}, and {count} are given.");
        }
    }

    private static void CheckSide(string what, int pixels, int multiple)
    {
        if (pixels < multiple || pixels % multiple != 0)
        {
            throw new ModelException($"The {what} must be a multiple of {multiple} pixels, and is {pixels}.");
        }
    }
}
