using System.Globalization;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>An amount of storage, such as <c>500MB</c> or <c>1.5TB</c>.</summary>
internal static class ByteSize
{
    private static readonly string[] Units = ["B", "KB", "MB", "GB", "TB"];

    /// <exception cref="CliException">The text is no amount.</exception>
    public static long Parse(string option, string text)
    {
        var digits = text.TrimEnd('B', 'b').TrimEnd('K', 'M', 'G', 'T', 'k', 'm', 'g', 't');
        var unit = text[digits.Length..].ToUpperInvariant();
        var power = unit.Length == 0 ? 0 : Array.IndexOf(Units, unit);
        return power >= 0 && double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            && number * Math.Pow(1000, power) is >= 1 and < long.MaxValue and var bytes
            ? (long)bytes
            : throw new CliException($"{option} {Line.Quote(text)}: no amount such as 500MB or 20GB.");
    }

    /// <summary>Rounded, for people.</summary>
    public static string Of(long bytes)
    {
        var power = bytes < 1000 ? 0 : Math.Min(Units.Length - 1, (int)Math.Log(bytes, 1000));
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / Math.Pow(1000, power):0.##} {Units[power]}");
    }
}
