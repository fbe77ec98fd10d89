namespace SaeUnbox.Cli.Output;

/// <summary>Makes untrusted text safe for the terminal: on one line, without control characters, shortened in quotes.</summary>
internal static class Line
{
    private const int LongestQuote = 60;

    public static string Of(string text) => string.Concat(text.ReplaceLineEndings(" ").Select(c => char.IsControl(c) ? '?' : c));

    public static string Quote(string text, int longest = LongestQuote) =>
        text.Length <= longest ? text : $"{text[..longest]}… ({text.Length} characters)";
}
