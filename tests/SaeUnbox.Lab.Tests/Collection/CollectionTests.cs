using SaeUnbox.Testing;
using TorchSharp;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

public class CollectionTests
{
    private const int Side = 2;
    private const int Width = 3;

    private static readonly Site[] Sites = [Site.Composition, Site.Style];

    [Fact]
    public void Add_Items_ComeBackInOrder()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 5, perShard: 2);
        foreach (var site in Sites)
        {
            var collection = ActivationCollection.Open(folder.Path, site);
            Assert.Equal([2L, 2, 1], collection.Shards.Select(shard => shard.Shape[0]));
            Assert.Equal(5 * Side * Side, collection.Rows);
            var rows = cat([.. collection.Shards.Select(shard => shard.ReadRows())], 0);
            Assert.Equal(
                Enumerable.Range(0, 5).SelectMany(item => Item(item, site).Floats()),
                rows.Floats());
        }
    }

    [Fact]
    public void NextItem_KilledBetweenSites_RepeatsTheShard()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 4, perShard: 2);
        File.Delete(Directory.EnumerateFiles(folder.At(Sites[1].Code)).Order().Last());
        using var writer = new CollectionWriter(folder.Path, Sites, new CollectionOptions { ItemsPerShard = 2 });
        Assert.Equal(2, writer.NextItem);
    }

    [Fact]
    public void Dispose_BeforeComplete_LosesOnlyTheOpenShard()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using (var writer = new CollectionWriter(folder.Path, Sites, new CollectionOptions { ItemsPerShard = 2 }))
        {
            for (var item = 0; item < 3; item++)
                writer.Add(item, Items(item));
        }

        using var again = new CollectionWriter(folder.Path, Sites, new CollectionOptions { ItemsPerShard = 2 });
        Assert.Equal(2, again.NextItem);
    }

    [Fact]
    public void NextItem_TwoWorkersOneFolder_EachHasItsRange()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 4, perShard: 2);
        Collect(folder.Path, items: 2, perShard: 2, first: 10);
        using var first = new CollectionWriter(folder.Path, Sites, new CollectionOptions { ItemsPerShard = 2 });
        using var second = new CollectionWriter(folder.Path, Sites, new CollectionOptions { ItemsPerShard = 2, FirstItem = 10 });
        Assert.Equal((4L, 12L), (first.NextItem, second.NextItem));
    }

    [Fact]
    public void Add_ShardsOfAnotherDivision_AreSkippedWithoutOverlap()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 2, perShard: 3, first: 4);
        var asked = new List<long>();
        using (var writer = new CollectionWriter(folder.Path, Sites, new CollectionOptions { ItemsPerShard = 3 }))
        {
            for (; writer.NextItem < 8; writer.Add(writer.NextItem, Items(writer.NextItem)))
                asked.Add(writer.NextItem);
            writer.Complete();
        }

        Assert.Equal([0L, 1, 2, 3, 6, 7], asked);
        var shards = ActivationCollection.Open(folder.Path, Sites[0]).Shards;
        Assert.Equal([(0L, 3L), (3, 4), (4, 6), (6, 8)], shards.Select(shard => (shard.First, shard.End)));
    }

    [Fact]
    public void Add_LeftoversOfAKilledRun_AreReplaced()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 1, perShard: 2);
        File.Delete(Directory.EnumerateFiles(folder.At(Sites[1].Code)).Single());
        Collect(folder.Path, items: 2, perShard: 2);
        foreach (var site in Sites)
            Assert.Equal((0L, 2L), ActivationCollection.Open(folder.Path, site).Shards.Select(shard => (shard.First, shard.End)).Single());
    }

    [Fact]
    public void Add_BudgetSpent_StopsAfterAWholeShard()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var writer = new CollectionWriter(
            folder.Path, Sites, new CollectionOptions { ItemsPerShard = 1, DiskBudget = 1000, Dtype = Dtype.Fp32 });
        var item = 0;
        for (; item < 100 && !writer.IsFull; item++)
            writer.Add(item, Items(item));
        Assert.True(writer.IsFull);
        Assert.InRange(new DirectoryInfo(folder.Path).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length), 1, 1200);
        Assert.Equal(item - 1, writer.NextItem);
        Assert.Contains("budget", Assert.Throws<SaeException>(() => writer.Add(writer.NextItem, Items(0))).Message);
    }

    [Fact]
    public void Add_UnstorableValue_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        using var writer = new CollectionWriter(folder.Path, [Site.Middle]);
        var site = Site.Middle;
        Assert.Contains("fp16", Refused(Arithmetic.Full([Side, Side, Width], 1e5f, torch.float32)));
        Assert.Contains("NaN", Refused(Arithmetic.Full([Side, Side, Width], float.NaN, torch.float32)));
        Assert.Contains("[h, w, d]", Refused(zeros([Side, Width])));
        Assert.Contains("0 is next", Assert.Throws<SaeException>(() => writer.Add(7, new Dictionary<Site, Tensor>())).Message);

        string Refused(Tensor tensor) =>
            Assert.Throws<SaeException>(() => writer.Add(0, new Dictionary<Site, Tensor> { [site] = tensor })).Message;
    }

    [Fact]
    public void Open_ShardCutShort_NamesTheFile()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 2, perShard: 2);
        var shard = Directory.EnumerateFiles(folder.At(Sites[0].Code)).Single();
        File.WriteAllBytes(shard, File.ReadAllBytes(shard)[..^5]);
        Assert.Contains(shard, Assert.Throws<CheckpointException>(() => ActivationCollection.Open(folder.Path, Sites[0])).Message);
    }

    [Fact]
    public void Writer_FolderThatIsAFile_SaysSo()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.At("taken"), "");
        Assert.Contains("taken", Assert.Throws<SaeException>(() => new CollectionWriter(folder.At("taken"), Sites)).Message);
    }

    [Fact]
    public void Open_EmptyCollection_SaysSo()
    {
        using var folder = new TemporaryFolder();
        Assert.Contains("up.0.1", Assert.Throws<SaeException>(() => ActivationCollection.Open(folder.Path, Site.Style)).Message);
    }

    [Theory]
    [InlineData(4, 1)]
    [InlineData(8, 24)]
    [InlineData(3, 1000)]
    public void Read_OneEpoch_GivesEveryRowAtMostOnceShuffled(int batchSize, long windowRows)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 9, perShard: 2);
        var collection = ActivationCollection.Open(folder.Path, Sites[0]);
        var stream = new ActivationStream(collection, batchSize, 5, windowRows);
        var all = Enumerable.Range(0, 9).SelectMany(item => Rows(Item(item, Sites[0]))).ToHashSet();
        var count = stream.BatchesOf(0);
        var seen = stream.Read().Take((int)count).SelectMany(Rows).ToArray();
        Assert.Equal(count * batchSize, seen.Length);
        Assert.Equal(seen.Length, seen.Distinct().Count());
        Assert.Subset(all, seen.ToHashSet());
        Assert.NotEqual(seen.Order(), seen);
    }

    [Fact]
    public void Read_FromABatch_IsTheRest()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 9, perShard: 2);
        var collection = ActivationCollection.Open(folder.Path, Sites[0]);
        var whole = new ActivationStream(collection, 5, 5, 12).Read().Take(20).SelectMany(Rows).ToArray();
        var rest = new ActivationStream(collection, 5, 5, 12).Read(first: 8).Take(12).SelectMany(Rows).ToArray();
        Assert.Equal(whole[(8 * 5)..], rest);
        var other = new ActivationStream(collection, 5, 6, 12).Read().Take(20).SelectMany(Rows).ToArray();
        Assert.NotEqual(whole, other);
    }

    [Fact]
    public void Read_BatchLargerThanTheCollection_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Collect(folder.Path, items: 1, perShard: 1);
        var stream = new ActivationStream(ActivationCollection.Open(folder.Path, Sites[0]), 5, 0);
        Assert.Throws<SaeException>(() => stream.Read().First());
    }

    private static void Collect(string folder, int items, int perShard, long first = 0)
    {
        using var writer = new CollectionWriter(folder, Sites, new CollectionOptions { ItemsPerShard = perShard, FirstItem = first });
        for (var item = first; item < first + items; item++)
            writer.Add(item, Items(item));
        writer.Complete();
    }

    private static Dictionary<Site, Tensor> Items(long item) => Sites.ToDictionary(site => site, site => Item(item, site));

    // Small whole numbers: exact in every stored type, different in every row.
    private static Tensor Item(long item, Site site) =>
        Arithmetic.Range(0, Side * Side * Width, ScalarType.Float32).Plus(item * Side * Side * Width).Plus(site == Sites[0] ? 0 : 500)
        .view(Side, Side, Width);

    private static IEnumerable<string> Rows(Tensor tensor) =>
        tensor.reshape(-1, Width).Floats().Chunk(Width).Select(row => string.Join(' ', row));
}
