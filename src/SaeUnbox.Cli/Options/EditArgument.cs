using System.Text.RegularExpressions;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>An edit as written on the command line (see <see cref="Form"/>).</summary>
/// <param name="Edit">The edit, still without its mask.</param>
/// <param name="Mask">The mask as it was written; null for everywhere.</param>
internal sealed partial record EditArgument(FeatureEdit Edit, string? Mask)
{
    /// <summary>How to write an edit, for help and messages. LAST is exclusive.</summary>
    public static readonly string Form =
        $"SITE:FEATURE[+FEATURE]:STRENGTH[:{EditMode.Names("|")}[:THRESHOLD[:GROW]]][@MASK][#FIRST-LAST]";

    /// <exception cref="CliException">The text is not an edit; the message says which part is wrong.</exception>
    public static EditArgument Parse(string text)
    {
        var rest = text;
        (int First, int? Last) steps = (0, null);
        if (Steps().Match(rest) is { Success: true } match && !IsPartOfAFileName(text, match))
        {
            steps = (Number(text, "first step", match.Groups[1].Value), Number(text, "last step", match.Groups[2].Value));
            rest = rest[..match.Index];
        }
        string? mask = null;
        if (rest.IndexOf('@') is >= 0 and var at)
        {
            mask = rest[(at + 1)..];
            rest = rest[..at];
            if (mask.Length == 0)
                throw Wrong(text, "a mask must follow @: a PNG file, a JSON file, or a JSON array of rows");
        }
        if (rest.Contains('#'))
            throw Wrong(text, "two steps must follow #, such as #0-2");
        var parts = rest.Split(':');
        if (parts.Length is < 3 or > 6)
            throw Wrong(text, $"write {Form}, such as down.2.1:89:10");
        if (!Site.TryParse(parts[0], out var site))
            throw Wrong(text, $"'{Line.Quote(parts[0])}' is not a site; use a code such as down.2.1, mid.0, up.0.0 or up.0.1");
        int[] features = [.. parts[1].Split('+').Select(feature => Number(text, "feature", feature))];
        var mode = EditMode.Default;
        if (parts.Length > 3 && !EditMode.TryParse(parts[3], out mode))
            throw Wrong(text, $"the mode '{Line.Quote(parts[3])}' is not one of {EditMode.Names(", ")}");
        return new EditArgument(
            new FeatureEdit(site, features[0], Real(text, "strength", parts[2]))
            {
                Also = [.. features[1..]],
                Mode = mode,
                Threshold = parts.Length > 4 ? Real(text, "threshold", parts[4]) : 0,
                Grow = parts.Length > 5 ? Number(text, "growth", parts[5]) : 0,
                FirstStep = steps.First,
                LastStep = steps.Last,
            },
            mask);
    }

    // A file name may contain #. Only whole numbers after it make it a range of steps.
    private static bool IsPartOfAFileName(string text, Match steps) =>
        text.IndexOf('@') is >= 0 and var at && at < steps.Index
        && !steps.Groups.Values.Skip(1).All(step => step.Length > 0 && step.Value.All(char.IsAsciiDigit));

    private static int Number(string text, string what, string digits) =>
        PlainNumber.TryWhole(digits, out int number) && number >= 0
            ? number
            : throw Wrong(text, $"the {what} '{Line.Quote(digits)}' is not a whole number from 0 to {int.MaxValue}");

    private static double Real(string text, string what, string digits) =>
        PlainNumber.TryReal(digits, out var number)
            ? number
            : throw Wrong(text, $"the {what} '{Line.Quote(digits)}' is not a finite number");

    private static CliException Wrong(string text, string why) => new($"--edit {Line.Quote(text)}: {why}.");

    [GeneratedRegex(@"#([^#\-]*)-([^#\-]*)$", RegexOptions.CultureInvariant)]
    private static partial Regex Steps();
}
