namespace SaeUnbox.Core;

/// <summary>Quotes untrusted text for an error message: shortened, on one line, without control characters.</summary>
internal static class UntrustedText
{
    private const int MaxLength = 40;

    public static string Quote(string text)
    {
        var kept = text.Length <= MaxLength ? text : text[..MaxLength] + "…";
        return "'" + string.Concat(kept.Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c)) + "'";
    }
}
