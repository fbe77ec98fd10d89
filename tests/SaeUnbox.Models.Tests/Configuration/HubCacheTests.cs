using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class HubCacheTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Cache => _folder.At("models--some-owner--its-model");

    [Fact]
    public void Resolve_MainBranch_IsItsSnapshot()
    {
        Snapshots("aaa", "bbb");
        Branch("main", "bbb\n");
        Branch("pr/1", "aaa");
        Assert.Equal(Snapshot("bbb"), HubCache.Resolve(Cache));
        Assert.Equal(Snapshot("bbb"), HubCache.Resolve(Cache + Path.DirectorySeparatorChar));
        Assert.Equal(Snapshot("aaa"), HubCache.Resolve(Snapshot("aaa")));
    }

    [Fact]
    public void Resolve_SingleBranchOrSnapshot_IsIt()
    {
        Snapshots("aaa");
        Assert.Equal(Snapshot("aaa"), HubCache.Resolve(Cache));
        Snapshots("bbb");
        Branch("fp16", "bbb");
        Assert.Equal(Snapshot("bbb"), HubCache.Resolve(Cache));
    }

    [Fact]
    public void Resolve_Ambiguous_ListsTheChoices()
    {
        Snapshots();
        Assert.Contains("without a snapshot", Assert.Throws<ModelException>(() => HubCache.Resolve(Cache)).Message);
        Snapshots("aaa", "bbb");
        Assert.Contains(Snapshot("bbb"), Assert.Throws<ModelException>(() => HubCache.Resolve(Cache)).Message);
        Branch("main", "ccc");
        Assert.Contains("ccc, which is missing", Assert.Throws<ModelException>(() => HubCache.Resolve(Cache)).Message);
    }

    [Fact]
    public void Resolve_OtherFolder_IsItself()
    {
        Directory.CreateDirectory(_folder.At("plain", "snapshots", "a"));
        Assert.Equal(_folder.At("plain"), HubCache.Resolve(_folder.At("plain")));
        Assert.Null(HubCache.RepositoryOf(_folder.At("plain")));
        Assert.Null(HubCache.RepositoryOf(_folder.At("plain", "snapshots", "a")));
    }

    [Fact]
    public void RepositoryOf_CacheFolderAndSnapshot_IsTheRepository()
    {
        Snapshots("aaa");
        Assert.Equal("its-model", HubCache.RepositoryOf(Cache));
        Assert.Equal("its-model", HubCache.RepositoryOf(Snapshot("aaa") + Path.DirectorySeparatorChar));
        Assert.Null(HubCache.RepositoryOf(Path.Combine(Snapshot("aaa"), "unet")));
    }

    public void Dispose() => _folder.Dispose();

    private string Snapshot(string revision) => Path.Combine(Cache, "snapshots", revision);

    private void Snapshots(params string[] revisions)
    {
        Directory.CreateDirectory(Path.Combine(Cache, "snapshots"));
        foreach (var revision in revisions)
            Directory.CreateDirectory(Snapshot(revision));
    }

    private void Branch(string name, string revision)
    {
        var path = Path.Combine(Cache, "refs", name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, revision);
    }
}
