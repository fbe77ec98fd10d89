using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace SaeUnbox.Core.Tests;

public class PlainNumberTests
{
    private const int Numbers = 4000;

    [Theory]
    [InlineData("7,5")]
    [InlineData("0,001")]
    [InlineData("1,000")]
    [InlineData("1.000,5")]
    [InlineData("1 000")]
    [InlineData("1_000")]
    [InlineData("1'000")]
    [InlineData("7٫5")]
    [InlineData("−5")]
    [InlineData("0x10")]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("∞")]
    [InlineData("1e400")]
    [InlineData("(5)")]
    [InlineData("$5")]
    [InlineData("5%")]
    [InlineData("1.2.3")]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData(null)]
    public void TryRealAndTryWhole_NotANumber_Refuse(string? text)
    {
        Assert.False(PlainNumber.TryReal(text, out _));
        Assert.False(PlainNumber.TryWhole<long>(text, out _));
    }

    [Theory]
    [InlineData("1.5")]
    [InlineData("1e-1")]
    [InlineData("1.00000000000000000000000000000000001")]
    [InlineData("2147483648")]
    [InlineData("2147483648.0")]
    [InlineData("3e9")]
    public void TryWhole_FractionOrOutOfRange_Refuses(string text) => Assert.False(PlainNumber.TryWhole<int>(text, out _));

    [Theory]
    [InlineData("9223372036854775807.0", long.MaxValue)]
    [InlineData("-9223372036854775808.000", long.MinValue)]
    [InlineData("9007199254740993.0", 9007199254740993)]
    [InlineData("0.5e1", 5)]
    [InlineData("1200e-2", 12)]
    [InlineData("0e999999999", 0)]
    [InlineData("-0.0", 0)]
    [InlineData("+7.0", 7)]
    [InlineData("007", 7)]
    public void TryWhole_IntegralNumber_IsExact(string text, long value)
    {
        Assert.True(PlainNumber.TryWhole(text, out long whole));
        Assert.Equal(value, whole);
    }

    [Fact]
    public void TryWhole_AnySpellingOfAnInteger_GivesIt()
    {
        var random = new Random(3);
        for (var i = 0; i < Numbers; i++)
        {
            var value = random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(63);
            Assert.All(Spellings(value, random), text =>
            {
                Assert.True(PlainNumber.TryWhole(text, out long whole), text);
                Assert.Equal(value, whole);
            });
        }
    }

    [Fact]
    public void TryWhole_RandomDecimals_AgreesWithExactArithmetic()
    {
        var random = new Random(4);
        for (var i = 0; i < Numbers; i++)
        {
            var (digits, exponent) = (new BigInteger(random.NextInt64()) * BigInteger.Pow(10, random.Next(4)), random.Next(-22, 6));
            var scale = BigInteger.Pow(10, Math.Abs(exponent));
            BigInteger? exact = exponent >= 0 ? digits * scale : digits % scale == 0 ? digits / scale : null;

            var isWhole = PlainNumber.TryWhole($"{digits}e{exponent}", out long whole);

            Assert.Equal(exact is not null && exact <= long.MaxValue, isWhole);
            if (isWhole)
                Assert.Equal(exact, whole);
        }
    }

    [Fact]
    public void TryReal_WrittenDouble_ReadsBackInEveryCulture()
    {
        var random = new Random(5);
        foreach (var culture in new[] { "de-DE", "ar-SA", "sv-SE", "fr-CH", "" })
        {
            CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo(culture);
            for (var i = 0; i < Numbers / 10; i++)
            {
                var value = BitConverter.Int64BitsToDouble(random.NextInt64());
                var isRead = PlainNumber.TryReal(value.ToString("R", CultureInfo.InvariantCulture), out var read);

                Assert.Equal(double.IsFinite(value), isRead);
                if (isRead)
                    Assert.Equal(value, read);
            }
        }
    }

    [Fact]
    public void FromJson_IntegersWrittenAsFloats_AreTheSameRecipe()
    {
        var random = new Random(6);
        for (var i = 0; i < 200; i++)
        {
            var (seed, steps, side, feature) = (random.NextInt64(), random.Next(2, 1001), 8 * random.Next(1, 500), random.Next());
            string Of(long number) => Spellings(number, random)[random.Next(3)];
            string Json(Func<long, string> write) =>
                $$"""
                {"version":{{write(1)}},"model":"m","prompt":"","seed":{{write(seed)}},"steps":{{write(steps)}},"guidance":0,
                "width":{{write(side)}},"height":{{write(side)}},"edits":[{"site":"mid.0","feature":{{write(feature)}},"strength":1,
                "firstStep":{{write(1)}},"lastStep":{{write(2)}}}],
                "interventions":[{"kind":"icon","site":"mid.0","feature":{{write(feature)}}}]}
                """;
            var plain = Recipe.FromJson(Json(number => number.ToString(CultureInfo.InvariantCulture)));

            var recipe = Recipe.FromJson(Json(Of));

            Assert.Equal(plain.ToJson(), recipe.ToJson());
            Assert.Equal(plain.ToLink(), recipe.ToLink());
        }
    }

    [Theory]
    [InlineData("1.5")]
    [InlineData("1e400")]
    [InlineData("\"1\"")]
    [InlineData("true")]
    public void TryWhole_JsonThatIsNoInteger_Refuses(string json)
    {
        using var document = JsonDocument.Parse(json);

        Assert.False(PlainNumber.TryWhole<int>(document.RootElement, out _));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<int>(json, Converting));
    }

    [Fact]
    public void Converter_IntegralFloat_IsAnIntegerAndIsWrittenAsOne()
    {
        Assert.Equal([7, 42], JsonSerializer.Deserialize<int[]>("[7.0, 4.2e1]", Converting)!);
        Assert.Equal("7", JsonSerializer.Serialize(7, Converting));
    }

    private static readonly JsonSerializerOptions Converting = new() { Converters = { new WholeNumberConverter<int>() } };

    // The first three are JSON.
    private static string[] Spellings(long value, Random random)
    {
        var text = value.ToString(CultureInfo.InvariantCulture);
        var zeros = new string('0', random.Next(1, 4));
        return [text, $"{text}.{zeros}", $"{text}{zeros}e-{zeros.Length}", $"{text}.", $" {text}.0 "];
    }
}
