using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class AtomicFileTests : IDisposable
{
    private const int NoSpaceLeft = 28;
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Write_FileExists_ReplacesIt()
    {
        AtomicFile.WriteAllText(_folder.At("a.txt"), "old and longer");
        AtomicFile.WriteAllText(_folder.At("a.txt"), "new");
        Assert.Equal("new", File.ReadAllText(_folder.At("a.txt")));
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Write_FailsHalfway_LeavesTheOldFileAndNothingElse()
    {
        AtomicFile.WriteAllText(_folder.At("a.txt"), "old");
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(_folder.At("a.txt"), stream =>
        {
            stream.Write(new byte[100_000]);
            throw new InvalidOperationException();
        }));
        Assert.Equal("old", File.ReadAllText(_folder.At("a.txt")));
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Write_DiskIsFull_SaysSoAndLeavesNothing()
    {
        var error = Assert.Throws<CheckpointException>(() => AtomicFile.Write(_folder.At("a.png"), stream =>
        {
            stream.Write(new byte[100_000]);
            throw new IOException("No space left on device", NoSpaceLeft);
        }));
        Assert.Contains("a.png", error.Message);
        Assert.Contains("disk is full", error.Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Write_FullDevice_SaysSoAndKeepsIt()
    {
        Assert.SkipUnless(File.Exists("/dev/full"), "This system has no /dev/full.");
        using var tensor = torch.zeros([100_000]);
        foreach (var write in new Action[]
        {
            () => SafetensorsWriter.Write("/dev/full", [KeyValuePair.Create("a", tensor)]),
            () => TorchFileWriter.Write("/dev/full", tensor),
        })
            Assert.Contains("disk is full", Assert.Throws<CheckpointException>(write).Message);
        Assert.False(File.GetAttributes("/dev/full").HasFlag(FileAttributes.Archive));
        Assert.Throws<IOException>(() => File.WriteAllText("/dev/full", "still full"));
    }

    [Fact]
    public void Write_FolderIsMissing_SaysSo()
    {
        var error = Assert.Throws<CheckpointException>(() => AtomicFile.WriteAllText(_folder.At("no", "a.txt"), "x"));
        Assert.Contains("folder does not exist", error.Message);
    }

    [Fact]
    public void Write_OverAFolder_SaysSo()
    {
        Directory.CreateDirectory(_folder.At("b"));
        Assert.Throws<CheckpointException>(() => AtomicFile.WriteAllText(_folder.At("b"), "x"));
        Assert.Single(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void Write_ThroughALink_KeepsTheLink()
    {
        AtomicFile.WriteAllText(_folder.At("real.txt"), "old");
        File.CreateSymbolicLink(_folder.At("link.txt"), _folder.At("real.txt"));
        AtomicFile.WriteAllText(_folder.At("link.txt"), "new");
        Assert.Equal("new", File.ReadAllText(_folder.At("real.txt")));
        Assert.NotNull(File.ResolveLinkTarget(_folder.At("link.txt"), returnFinalTarget: false));
    }

    public void Dispose() => _folder.Dispose();
}
