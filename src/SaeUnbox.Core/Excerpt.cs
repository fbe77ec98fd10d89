namespace SaeUnbox.Core;

/// <summary>Quotes foreign text in an error: short, on one line, without control characters.</summary>
internal static class Excerpt
{
    private const int MaxLength = 40;

    public static string Of(string text)
    {
        var kept = text.Length <= MaxLength ? text : text[..MaxLength] + "…";
        return "'" + string.Concat(kept.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)) + "'";
    }
}
