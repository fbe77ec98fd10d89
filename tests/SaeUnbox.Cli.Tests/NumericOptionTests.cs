using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Tests;

/// <summary>Every numeric option of every command reads numbers alike.</summary>
public class NumericOptionTests
{
    private static readonly string[] NoNumbers = ["7,5", "0,001", "1,000", "1.000,5", "1e400", "NaN", "0x10", "1_000", "many", ""];

    // A number, or none.
    private const string NumberOrNone = "--auxk";

    public static TheoryData<string, string> Numeric() => [.. All()
        .Where(one => IsNumber(one.Option.ValueType))
        .Select(one => new TheoryDataRow<string, string>(one.Command.Name, one.Option.Name))];

    [Fact]
    public void CommandTree_NumericOptions_AreWholeAndReal()
    {
        var types = All().Select(one => Nullable.GetUnderlyingType(one.Option.ValueType) ?? one.Option.ValueType).ToHashSet();

        Assert.Superset(new HashSet<Type> { typeof(int), typeof(long), typeof(double) }, types);
        Assert.DoesNotContain(typeof(float), types);
        Assert.DoesNotContain(typeof(decimal), types);
    }

    [Fact]
    public void CommandTree_OptionDescribedAsNumber_IsNumeric() => Assert.All(
        All().Where(one => one.Option.HelpName is "N" or "X" or "W" or "H" or "S" or "MS" && one.Option.Name != NumberOrNone),
        one => Assert.True(IsNumber(one.Option.ValueType), $"{one.Command.Name} {one.Option.Name}"));

    [Theory]
    [MemberData(nameof(Numeric))]
    public void Parse_NotANumber_IsRefusedWithTheOptionsName(string command, string option)
    {
        foreach (var text in NoNumbers)
        {
            var parsed = Parse(command, option, text);

            Assert.Contains(parsed.Errors,
                error => error.Message.StartsWith($"{option} {Line.Quote(text)}: use a ", StringComparison.Ordinal));
        }
    }

    [Theory]
    [MemberData(nameof(Numeric))]
    public void Parse_IntegralFloat_IsThatNumber(string command, string option)
    {
        foreach (var text in new[] { "7", "7.0", "70e-1" })
        {
            var parsed = Parse(command, option, text);
            var value = parsed.GetResult(option) is OptionResult result
                ? result.GetValueOrDefault<object>() : null;

            Assert.DoesNotContain(parsed.Errors, error => error.Message.Contains(option, StringComparison.Ordinal));
            Assert.Equal(7.0, Convert.ToDouble(value, CultureInfo.InvariantCulture));
        }
    }

    [Theory]
    [MemberData(nameof(Numeric))]
    public void Parse_Fraction_IsRefusedForAWholeNumber(string command, string option)
    {
        var type = All().First(one => one.Command.Name == command && one.Option.Name == option).Option.ValueType;
        var isReal = (Nullable.GetUnderlyingType(type) ?? type) == typeof(double);

        Assert.Equal(!isReal,
            Parse(command, option, "1.5").Errors.Any(error => error.Message.Contains("a whole number", StringComparison.Ordinal)));
    }

    private static ParseResult Parse(string command, string option, string text) => Create().Parse([command, option, text]);

    private static RootCommand Create() => CommandLine.Create(new Terminal(TextWriter.Null, TextWriter.Null));

    private static IEnumerable<(Command Command, Option Option)> All() => Of(Create());

    private static IEnumerable<(Command Command, Option Option)> Of(Command command) =>
        command.Options.Select(option => (command, option)).Concat(command.Subcommands.SelectMany(Of));

    private static bool IsNumber(Type type) => Type.GetTypeCode(Nullable.GetUnderlyingType(type) ?? type)
        is >= TypeCode.SByte and <= TypeCode.Decimal && !type.IsEnum;
}
