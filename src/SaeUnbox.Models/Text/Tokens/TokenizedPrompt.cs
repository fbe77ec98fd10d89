namespace SaeUnbox.Models;

/// <summary>A prompt as token ids.</summary>
/// <param name="Ids">Start token, the prompt's, end token, padding: as many as the tokenizer's MaxLength.</param>
/// <param name="Pieces">The prompt's pieces of words, special tokens as they are written; all of them, before any was cut off.</param>
/// <param name="Length">Number of ids with start and end token, before any was cut off.</param>
/// <param name="Ignored">The words that did not fit, as text; empty where all did. The first may be the rest of a word.</param>
public sealed record TokenizedPrompt(IReadOnlyList<int> Ids, IReadOnlyList<string> Pieces, int Length, string Ignored)
{
    public bool IsTruncated => Length > Ids.Count;

    /// <summary>A message for the person who wrote the prompt, or null where all of it is used.</summary>
    public string? Warning => IsTruncated
        ? $"The prompt is longer than {Ids.Count} tokens ({Length}); these words were ignored: {Ignored}"
        : null;
}
