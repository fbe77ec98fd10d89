using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>The collected activations of one site.</summary>
public sealed class ActivationCollection
{
    private ActivationCollection(IReadOnlyList<ActivationShard> shards)
    {
        Shards = shards;
    }

    /// <summary>In the order of their items.</summary>
    public IReadOnlyList<ActivationShard> Shards { get; }

    public long Rows => Shards.Sum(shard => shard.Rows);

    public int Width => Shards[0].Width;

    /// <summary>Of the shards as their files are: another shard is another order of batches.</summary>
    public string Fingerprint => FileFingerprint.Of(Shards.Select(shard => (Path.GetFileName(shard.Path), shard.Path)));

    /// <summary>Opens <c>FOLDER/SITE</c>, reading headers only.</summary>
    /// <exception cref="SaeException">There is nothing, or shards differ in width.</exception>
    public static ActivationCollection Open(string folder, HookSite site)
    {
        var path = Path.Combine(folder, site.Code);
        if (!Directory.Exists(path))
            throw new SaeException($"{folder}: there are no activations of {site} here.");
        var shards = Directory.EnumerateFiles(path)
            .Where(file => ActivationShard.ParseName(file) is not null)
            .Select(ActivationShard.Open)
            .OrderBy(shard => shard.First)
            .ToArray();
        if (shards.Length == 0)
            throw new SaeException($"{path}: there is no shard of activations here.");
        if (shards.FirstOrDefault(shard => shard.Width != shards[0].Width) is { } other)
            throw new SaeException($"{other.Path}: has {other.Width} channels, {shards[0].Path} has {shards[0].Width}.");
        return new ActivationCollection(shards);
    }

    /// <summary>The first rows of the first epoch's order, [at most count, d]: a sample to start training from.</summary>
    public Tensor Sample(int count, ulong seed)
    {
        using var scope = NewDisposeScope();
        var parts = new List<Tensor>();
        long rows = 0;
        foreach (var shard in new ShuffledOrder(Shards, seed).Shards(0).TakeWhile(_ => rows < count))
        {
            var part = shard.ReadRows();
            parts.Add(part);
            rows += part.shape[0];
        }

        using var generator = new Generator(seed);
        var all = cat(parts, 0);
        var chosen = randperm(all.shape[0], dtype: ScalarType.Int64, generator: generator).narrow(0, 0, Math.Min(count, all.shape[0]));
        return all.index_select(0, chosen).MoveToOuterDisposeScope();
    }
}
