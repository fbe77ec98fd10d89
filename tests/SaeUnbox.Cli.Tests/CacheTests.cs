using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

public sealed class CacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Generate_WithCache_KeepsTheWeightsAndGivesTheSamePicture()
    {
        var cache = _folder.At("cache");
        var plain = await GenerateAsync("plain.png", "off");
        Assert.False(Directory.Exists(cache));
        Assert.Equal(plain, await GenerateAsync("first.png", cache));
        Assert.NotEmpty(Directory.GetFiles(cache, "*.weights"));
        Assert.Equal(plain, await GenerateAsync("second.png", cache));
    }

    private async Task<byte[]> GenerateAsync(string name, string cache)
    {
        await Saeunbox.RunAsync(
            ["generate", .. Saeunbox.GoldenModel, "--prompt", "a cat", "--width", "64", "--height", "64", "--cache", cache,
            "--out", _folder.At(name)]);
        return await File.ReadAllBytesAsync(_folder.At(name), TestContext.Current.CancellationToken);
    }
}
