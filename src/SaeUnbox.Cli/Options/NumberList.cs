using System.Globalization;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>Whole numbers of at least 1 with commas between them, such as <c>5,10,20</c>.</summary>
internal static class NumberList
{
    /// <exception cref="CliException">The text is no such list.</exception>
    public static IReadOnlyList<int> Parse(string option, string text) => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
        int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1
            ? number
            : throw new CliException($"{option} {Line.Quote(text)}: no whole numbers from 1 on, such as 5,10,20."))];
}
