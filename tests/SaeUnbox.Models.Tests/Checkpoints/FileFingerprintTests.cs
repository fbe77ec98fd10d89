using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class FileFingerprintTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData(10, 9)]
    [InlineData(5_000, 2_500)]
    [InlineData(60_000, 59_999)]
    [InlineData(3_000_000, 0)]
    [InlineData(3_000_000, 2_999_999)]
    public void Compute_OneByteChanged_Differs(int length, int changed)
    {
        var bytes = new byte[length];
        var first = Write("a", bytes);
        bytes[changed]++;

        Assert.NotEqual(Of("x", first), Of("x", Write("b", bytes)));
    }

    [Fact]
    public void Compute_SameFilesElsewhere_IsEqual()
    {
        var (a, b) = (Write("a", new byte[100_000]), Write("b", [1, 2]));
        var (c, d) = (Write("c", new byte[100_000]), Write("d", [1, 2]));

        Assert.Equal(FileFingerprint.Compute([("x", a), ("y", b)]), FileFingerprint.Compute([("y", d), ("x", c)]));
        Assert.NotEqual(FileFingerprint.Compute([("x", a), ("y", b)]), FileFingerprint.Compute([("y", c), ("x", d)]));
        Assert.NotEqual(Of("x", a), Of("x", Write("e", new byte[100_001])));
    }

    [Fact]
    public void Compute_FileMissing_NamesIt() =>
        Assert.Contains("gone", Assert.Throws<CheckpointException>(() => Of("x", _folder.At("gone"))).Message);

    public void Dispose() => _folder.Dispose();

    private static string Of(string name, string path) => FileFingerprint.Compute([(name, path)]);

    private string Write(string name, byte[] bytes)
    {
        File.WriteAllBytes(_folder.At(name), bytes);
        return _folder.At(name);
    }
}
