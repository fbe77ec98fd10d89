using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class BadFilesTests
{
    /// <summary>The files in the list, without the configurations of SAEs, which are not checkpoints.</summary>
    public static TheoryData<string, string> Listed()
    {
        var data = new TheoryData<string, string>();
        foreach (var file in Goldens.Json("badfiles.json").EnumerateObject())
            if (!file.Name.EndsWith(".json", StringComparison.Ordinal))
                data.Add(file.Name, file.Value.GetProperty("expect").GetString()!);
        return data;
    }

    [Theory, MemberData(nameof(Listed))]
    public void Open_ListedFile_IsAcceptedOrRejectedAsExpected(string name, string expect)
    {
        var path = Goldens.At("badfiles", name);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Record.Exception(() => ReadAll(path));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.True(allocated < 4 << 20, $"{allocated} bytes were allocated for a file of {new FileInfo(path).Length}.");
        if (expect == "accept")
            Assert.Null(error);
        if (error is null)
        {
            Assert.NotEqual("reject", expect);
            return;
        }
        Assert.IsType<CheckpointException>(error);
        Assert.Contains(name, error.Message);
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public void Listed_GoldenFolder_HoldsBothKinds()
    {
        var expectations = Goldens
            .Json("badfiles.json")
            .EnumerateObject()
            .Select(file => file.Value.GetProperty("expect").GetString())
            .ToList();
        Assert.Contains("accept", expectations);
        Assert.Contains("reject", expectations);
    }

    [Fact]
    public void Open_HeaderOfManyMegabytesOfText_IsRejectedWithinTwiceTheFile()
    {
        using var folder = new TemporaryFolder();
        const int length = 20 << 20;
        Handmade.Safetensors(folder.At("x.safetensors"), $$$"""{"__metadata__":{"note":"{{{new string('x', length)}}}"}}""", []);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("bytes of text", Assert.Throws<CheckpointException>(() => ReadAll(folder.At("x.safetensors"))).Message);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2 * length);
    }

    private static void ReadAll(string path)
    {
        using var checkpoint = Checkpoint.Open(path);
        foreach (var name in checkpoint.Entries.Keys)
            checkpoint.Read(name).Dispose();
    }
}
