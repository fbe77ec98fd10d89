using System.CommandLine.Parsing;
using System.Numerics;

namespace SaeUnbox.Cli.Options;

/// <summary>Creates options.</summary>
internal static class Setting
{
    /// <summary>An option without a value.</summary>
    public static Option<bool> Switch(string name, string description) => new(name) { Description = description };

    /// <param name="placeholder">Stands for the value in the help text.</param>
    public static Option<T> Of<T>(string name, string placeholder, string description) =>
        new(name) { Description = description, HelpName = placeholder };

    /// <summary>An option whose default value the help text shows.</summary>
    public static Option<T> Of<T>(string name, string placeholder, string description, T defaultValue) =>
        new(name) { Description = description, HelpName = placeholder, DefaultValueFactory = _ => defaultValue };

    public static Option<T> Required<T>(string name, string placeholder, string description) =>
        new(name) { Description = description, HelpName = placeholder, Required = true };

    /// <summary><c>--out</c> or <c>-o</c>, which is required.</summary>
    public static Option<string> Output(string placeholder, string description) =>
        new("--out", "-o") { Description = description, HelpName = placeholder, Required = true };
}

/// <summary>
/// Reads numbers as <see cref="PlainNumber"/> does. System.CommandLine follows the language of the machine, and would read 7,5 as 75.
/// </summary>
internal static class NumericOptions
{
    /// <summary>Changes an option if it takes a number.</summary>
    public static Option UseIn(Option option)
    {
        _ = option switch
        {
            Option<double> real => real.CustomParser = result => Real(result) ?? 0,
            Option<double?> real => real.CustomParser = Real,
            Option<int> whole => whole.CustomParser = result => Whole<int>(result) ?? 0,
            Option<int?> whole => whole.CustomParser = Whole<int>,
            Option<long> whole => whole.CustomParser = result => Whole<long>(result) ?? 0,
            Option<long?> whole => whole.CustomParser = Whole<long>,
            _ => (Delegate?)null,
        };
        return option;
    }

    private static double? Real(ArgumentResult result) =>
        PlainNumber.TryReal(TextOf(result), out var number) ? number : Refuse<double>(result, "a number such as 7.5");

    private static T? Whole<T>(ArgumentResult result) where T : struct, IBinaryInteger<T>, IMinMaxValue<T> =>
        PlainNumber.TryWhole(TextOf(result), out T number) ? number : Refuse<T>(result, $"a whole number up to {T.MaxValue}");

    private static T? Refuse<T>(ArgumentResult result, string use) where T : struct
    {
        var option = (result.Parent as OptionResult)?.Option.Name;
        result.AddError($"{option} {Line.Quote(TextOf(result))}: use {use}.");
        return null;
    }

    private static string TextOf(ArgumentResult result) => result.Tokens[0].Value;
}

/// <summary>Positive integers separated by commas, such as <c>5,10,20</c>.</summary>
internal static class NumberList
{
    /// <exception cref="CliException">The text is not such a list.</exception>
    public static IReadOnlyList<int> Parse(string option, string text) => [.. text.Split(',', StringSplitOptions.TrimEntries).Select(part =>
        PlainNumber.TryWhole(part, out int number) && number >= 1
            ? number
            : throw new CliException($"{option} {Line.Quote(text)}: use whole numbers of at least 1, such as 5,10,20."))];
}

/// <summary>A number of bytes, such as <c>500MB</c> or <c>1.5TB</c>.</summary>
internal static class ByteSize
{
    private static readonly string[] Units = ["B", "KB", "MB", "GB", "TB"];

    /// <exception cref="CliException">The text is not a number of bytes.</exception>
    public static long Parse(string option, string text)
    {
        var digits = text.TrimEnd('B', 'b').TrimEnd('K', 'M', 'G', 'T', 'k', 'm', 'g', 't');
        var unit = text[digits.Length..].ToUpperInvariant();
        var power = unit.Length == 0 ? 0 : Array.IndexOf(Units, unit);
        return power >= 0 && double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            && number * Math.Pow(1000, power) is >= 1 and < long.MaxValue and var bytes
            ? (long)bytes
            : throw new CliException($"{option} {Line.Quote(text)}: use a size such as 500MB or 20GB.");
    }

    /// <summary>Formats a number of bytes, rounded.</summary>
    public static string Of(long bytes)
    {
        var power = bytes < 1000 ? 0 : Math.Min(Units.Length - 1, (int)Math.Log(bytes, 1000));
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / Math.Pow(1000, power):0.##} {Units[power]}");
    }
}

/// <summary>Checks the range of integers.</summary>
internal static class Require
{
    /// <exception cref="CliException">The number is less.</exception>
    public static T AtLeast<T>(T least, string option, T number) where T : IBinaryInteger<T> =>
        number >= least ? number : throw new CliException($"{option} {number}: use {least} or more.");

    /// <exception cref="CliException">The number is out of range.</exception>
    public static int Between(string option, int number, int least, int most) =>
        number >= least && number <= most ? number : throw new CliException($"{option} {number}: use {least} to {most}.");
}

/// <summary>Options that take one of a few names.</summary>
internal static class NamedValue
{
    /// <exception cref="CliException">No value of the enum has this name.</exception>
    public static T? Parse<T>(string option, string? text) where T : struct, Enum => text is null ? null
        : Names.TryParse<T>(text, out var value) ? value
        : throw Unknown(option, text, Names.All<T>());

    /// <summary>The number format of files, which are never in int8.</summary>
    /// <exception cref="CliException">There is no such format.</exception>
    public static Dtype? ParseStored(string option, string? text) => Parse<Dtype>(option, text) is not Dtype.Int8 and var dtype
        ? dtype
        : throw new CliException($"{option} int8: use fp32, bf16 or fp16; weights become int8 when they are loaded.");

    /// <exception cref="CliException">The text is not one of the known names.</exception>
    public static string OneOf(string option, string text, IReadOnlyCollection<string> known) =>
        known.Contains(text) ? text : throw Unknown(option, text, known);

    private static CliException Unknown(string option, string text, IEnumerable<string> known) =>
        new($"{option} {Line.Quote(text)}: use one of {string.Join(", ", known)}.");
}

/// <summary>Options that take the code of a site, such as <c>down.2.1</c>.</summary>
internal static class SiteArgument
{
    /// <exception cref="CliException">The text is not a site's code.</exception>
    public static Site Parse(string option, string code) => Site.TryParse(code, out var site)
        ? site
        : throw new CliException($"{option} {Line.Quote(code)}: not a site; use a code such as down.2.1, mid.0, up.0.0 or up.0.1.");

    /// <summary>The sites of an option that may be repeated, without duplicates; empty if it is missing.</summary>
    /// <exception cref="CliException">One of them is not a site's code.</exception>
    public static Site[] Read(ParseResult parsed, Option<string[]> option) =>
        [.. (parsed.GetValue(option) ?? []).Select(code => Parse(option.Name, code)).Distinct()];

    /// <summary>The sites that a folder holds activations of.</summary>
    /// <exception cref="CliException">There are none.</exception>
    public static Site[] Collected(string folder)
    {
        var sites = Directory.EnumerateDirectories(folder)
            .Select(path => Site.TryParse(Path.GetFileName(path), out var site) ? site : null)
            .OfType<Site>().Order().ToArray();
        return sites.Length > 0
            ? sites
            : throw new CliException($"--data {Line.Quote(folder)}: there are no activations in this folder; run saeunbox collect first.");
    }
}
