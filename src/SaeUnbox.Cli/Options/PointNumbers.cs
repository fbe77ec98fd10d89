using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Options;

/// <summary>
/// Options that are real numbers are read with a point for the fraction and nothing between thousands. System.CommandLine by itself reads them
/// as the machine's language writes them, and 7,5 as 75.
/// </summary>
internal static class PointNumbers
{
    public static void ReadIn(Command command)
    {
        foreach (var option in command.Options)
        {
            if (option is Option<double> number)
                number.CustomParser = result => Read(result) ?? 0;
            else if (option is Option<double?> perhaps)
                perhaps.CustomParser = Read;
        }

        foreach (var inner in command.Subcommands)
            ReadIn(inner);
    }

    private static double? Read(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
            return number;
        var option = (result.Parent as OptionResult)?.Option.Name;
        result.AddError($"{option} {Line.Quote(text)}: use a number such as 7.5.");
        return null;
    }
}
