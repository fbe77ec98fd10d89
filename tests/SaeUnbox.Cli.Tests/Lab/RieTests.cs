using System.Globalization;
using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests.Lab;

/// <summary><c>evaluate --protocol rie</c> on the golden model.</summary>
public sealed class RieTests : IDisposable
{
    private const string Pair = """{"original":"a red house","edited":"a green boat","originalMask":[[1,0]],"editedMask":[[1,1],[0,1]]}""";
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Evaluate_RieProtocol_WritesARowForEachCountAndStrength()
    {
        await RunAsync(Pair + "\n\n" + """{"original":"a cat","edited":"a dog"}""", "--counts", "1,8", "--factors", "0,2");

        var rows = File.ReadLines(_folder.At("out", "rie.csv")).Skip(1).Select(line => line.Split(',')).ToArray();
        Assert.Equal(2 * 2 * 3, rows.Length);
        // At strength 0 nothing changes; at 2 something does.
        Assert.All(rows, row => Assert.Equal(row[3] != "0", double.Parse(row[4], CultureInfo.InvariantCulture) > 0));
        var report = JsonDocument.Parse(await File.ReadAllTextAsync(_folder.At("out", "rie.json"))).RootElement;
        Assert.Equal(6, report.GetProperty("curves").GetArrayLength());
        Assert.Equal(["LPIPS", "neurons", "CLIP"],
            report.GetProperty("missing").EnumerateArray().Select(text => text.GetString()!.Split(':')[0]));
    }

    [Fact]
    public async Task Evaluate_RieProtocolWithNeurons_WritesTheirRows()
    {
        await RunAsync(Pair, "--counts", "1", "--neurons", "4,16", "--factors", "1");

        var rows = File.ReadLines(_folder.At("out", "rie.csv")).Select(line => line.Split(',')).Where(line => line[1] == "neurons");
        Assert.Equal(["4", "16"], rows.Select(row => row[2]));
        var report = JsonDocument.Parse(await File.ReadAllTextAsync(_folder.At("out", "rie.json"))).RootElement;
        Assert.Equal(["LPIPS", "CLIP"], report.GetProperty("missing").EnumerateArray().Select(text => text.GetString()!.Split(':')[0]));
    }

    [Theory]
    [InlineData("--prompt", "a cat")]
    [InlineData("--pictures", "2")]
    [InlineData("--top", "2")]
    public async Task Evaluate_RieProtocolWithOptionsOfOthers_IsRefused(string option, string value) =>
        Assert.Contains($"{option}: leave it out with --protocol", await Saeunbox.FailAsync(["evaluate", .. Saeunbox.GoldenModel,
            "--protocol", "rie", option, value, "--out", _folder.At("out")]));

    [Fact]
    public async Task Evaluate_OptionsOfTheProtocolAlone_AreRefused() =>
        Assert.Contains("--counts: it is for --protocol rie", await Saeunbox.FailAsync(["evaluate", .. Saeunbox.GoldenModel,
            "--counts", "2", "--out", _folder.At("out")]));

    [Theory]
    [InlineData("""{"original":"a cat"}""", "edited is missing")]
    [InlineData("not json", "line 1")]
    [InlineData("", "0 pairs")]
    public async Task Evaluate_BrokenPairs_AreNamed(string pairs, string word)
    {
        await File.WriteAllTextAsync(_folder.At("pairs.jsonl"), pairs);

        Assert.Contains(word, await Saeunbox.FailAsync(["evaluate", .. Saeunbox.GoldenModel, "--protocol", "rie", "--pairs",
            _folder.At("pairs.jsonl"), "--out", _folder.At("out")]));
        Assert.False(Directory.Exists(_folder.At("out")));
    }

    private async Task RunAsync(string pairs, params string[] words)
    {
        await File.WriteAllTextAsync(_folder.At("pairs.jsonl"), pairs);
        var use = await Saeunbox.RunAsync(["evaluate", .. Saeunbox.GoldenModel, "--protocol", "rie", "--pairs", _folder.At("pairs.jsonl"),
            "--out", _folder.At("out"), .. words]);
        Assert.True(use.Code == 0, use.Error);
    }
}
