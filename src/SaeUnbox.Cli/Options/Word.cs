using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>Options that take one of a few words.</summary>
internal static class Word
{
    /// <exception cref="CliException">No value has this name.</exception>
    public static T? Parse<T>(string option, string? text) where T : struct, Enum => text is null ? null
        : Names.TryParse<T>(text, out var value) ? value
        : throw Unknown(option, text, Names.All<T>());

    /// <exception cref="CliException">It is none of those known.</exception>
    public static string Among(string option, string text, IReadOnlyCollection<string> known) =>
        known.Contains(text) ? text : throw Unknown(option, text, known);

    private static CliException Unknown(string option, string text, IEnumerable<string> known) =>
        new($"{option} {Line.Quote(text)}: use one of {string.Join(", ", known)}.");
}
