using System.Globalization;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>Commands under other cultures: German (decimal comma), Turkish (dotless i), Swedish (minus sign).</summary>
public sealed class CultureTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public static TheoryData<string> Cultures => ["de-DE", "tr-TR", "sv-SE"];

    public void Dispose() => _folder.Dispose();

    [Theory]
    [MemberData(nameof(Cultures))]
    public void Culture_OfTheTests_DiffersFromInvariant(string culture)
    {
        var own = CultureInfo.GetCultureInfo(culture);

        Assert.NotEqual((-1.5).ToString(CultureInfo.InvariantCulture) + "i".ToUpperInvariant(), (-1.5).ToString(own) + "i".ToUpper(own));
    }

    [Theory]
    [MemberData(nameof(Cultures))]
    public async Task Output_UnderAnotherCulture_IsTheSame(string culture)
    {
        string[][] uses =
        [
            ["simulate", "--service", "30.5", "--canvases", "1,4", "--seconds", "20", "--target", "100"],
            ["inspect", Goldens.At("model")],
            ["tokenize", "--model", Goldens.At("model"), "--", "A DİGITAL cafe\u0301, II 3.5 I"],
            ["explore", .. GoldenUse.Words(GoldenUse.Smallest), "--edit", $"{GoldenUse.Sites[0]}:1:-2.5", "--out", _folder.At("explore")],
            [
                "generate",
                .. GoldenUse.Words(GoldenUse.Smallest),
                "--edit",
                $"{GoldenUse.Sites[0]}:1:1e99",
                "--out",
                _folder.At("wrong.png")
            ],
            ["generate", .. GoldenUse.Words(GoldenUse.Smallest), "--guidance", "-1.5", "--out", _folder.At("wrong.png")],
        ];
        foreach (var words in uses)
        {
            var invariant = await RunAsync(CultureInfo.InvariantCulture, words);
            var other = await RunAsync(CultureInfo.GetCultureInfo(culture), words);

            Assert.Equal((invariant.Output, invariant.Error, invariant.Code), (other.Output, other.Error, other.Code));
        }
    }

    [Theory]
    [MemberData(nameof(Cultures))]
    public async Task Files_UnderAnotherCulture_AreTheSame(string culture)
    {
        var invariant = await ExploreAsync(CultureInfo.InvariantCulture, "invariant");
        var other = await ExploreAsync(CultureInfo.GetCultureInfo(culture), culture);

        Assert.True(invariant.Count > 2);
        Assert.Equal(invariant.Keys.Order(StringComparer.Ordinal), other.Keys.Order(StringComparer.Ordinal));
        Assert.All(invariant, file => Assert.Equal(file.Value, other[file.Key]));
    }

    private async Task<Dictionary<string, byte[]>> ExploreAsync(CultureInfo culture, string name)
    {
        var folder = _folder.At(name);
        var use = await RunAsync(culture,
            ["explore", .. GoldenUse.Words(GoldenUse.Smallest), "--edit", $"{GoldenUse.Sites[0]}:1:-2.5:scale", "--out", folder]);
        Assert.Equal("", use.Error);
        return Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .ToDictionary(path => Path.GetRelativePath(folder, path), File.ReadAllBytes);
    }

    // The culture is part of the asynchronous context, so it ends with this method.
    private static async Task<Use> RunAsync(CultureInfo culture, string[] words)
    {
        CultureInfo.CurrentCulture = culture;
        return await Saeunbox.RunAsync(words);
    }
}
