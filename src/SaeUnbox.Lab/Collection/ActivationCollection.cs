using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>The collected activations of one site: what it adds to its input, or its outputs.</summary>
public sealed class ActivationCollection
{
    private ActivationCollection(IReadOnlyList<ActivationShard> shards, bool holdsOutputs) =>
        (Shards, HoldsOutputs) = (shards, holdsOutputs);

    /// <summary>Ordered by item.</summary>
    public IReadOnlyList<ActivationShard> Shards { get; }

    /// <summary>Whether the vectors are outputs of the site rather than output - input.</summary>
    public bool HoldsOutputs { get; }

    /// <summary>Number of vectors.</summary>
    public long Rows => Shards.Sum(shard => shard.Rows);

    /// <summary>Channels of a vector.</summary>
    public int Width => Shards[0].Width;

    /// <summary>Identifies the shard files. It changes when shards are added, because that changes the order of batches.</summary>
    public string Fingerprint => FileFingerprint.Compute(Shards.Select(shard => (Path.GetFileName(shard.Path), shard.Path)));

    /// <summary>Opens <c>FOLDER/SITE</c>. Only headers are read.</summary>
    /// <exception cref="SaeException">There are no activations, or shards differ in width.</exception>
    public static ActivationCollection Open(string folder, Site site)
    {
        var path = Path.Combine(folder, site.Code);
        if (!Directory.Exists(path))
            throw new SaeException($"{folder}: there are no activations of {site} in this folder.");
        var shards = Directory.EnumerateFiles(path)
            .Where(file => ActivationShard.ParseName(file) is not null)
            .Select(ActivationShard.Open)
            .OrderBy(shard => shard.First)
            .ToArray();
        if (shards.Length == 0)
            throw new SaeException($"{path}: there are no shards of activations in this folder.");
        if (shards.FirstOrDefault(shard => shard.Width != shards[0].Width) is { } other)
            throw new SaeException($"{other.Path}: has {other.Width} channels, {shards[0].Path} has {shards[0].Width}.");
        return new ActivationCollection(shards, CollectionSettings.Find(folder)?.Outputs.Contains(site) == true);
    }

    /// <summary>A random sample of the shards that the first epoch reads first, [at most count, d].</summary>
    public Tensor Sample(int count, ulong seed)
    {
        using var scope = NewDisposeScope();
        var parts = new List<ActivationShard>();
        long rows = 0;
        foreach (var shard in new ShuffledOrder(Shards, seed).Shards(0).TakeWhile(_ => rows < count))
        {
            parts.Add(shard);
            rows += shard.Rows;
        }

        using var generator = new Generator(seed);
        var chosen = randperm(rows, dtype: ScalarType.Int64, generator: generator).data<long>().Take(count).ToArray();
        var sample = empty([chosen.Length, Width], dtype: ScalarType.Float32);
        long first = 0;
        foreach (var shard in parts)
        {
            // One shard is in memory at a time.
            using var inner = NewDisposeScope();
            var places = chosen.Index().Where(row => row.Item >= first && row.Item < first + shard.Rows).ToArray();
            sample.index_copy_(0, tensor([.. places.Select(row => (long)row.Index)]),
                shard.ReadRows().index_select(0, tensor([.. places.Select(row => row.Item - first)])));
            first += shard.Rows;
        }
        return sample.MoveToOuterDisposeScope();
    }
}

/// <summary>
/// One file of collected activations: output - input of a site for the items First to End - 1, in the tensor <c>activations</c>
/// [items, h, w, d].
/// </summary>
/// <param name="Path">The safetensors file.</param>
/// <param name="First">The first item.</param>
/// <param name="End">The last item plus 1.</param>
/// <param name="Shape">[items, h, w, d].</param>
public sealed record ActivationShard(string Path, long First, long End, IReadOnlyList<long> Shape)
{
    internal const string TensorName = "activations";

    /// <summary>Number of vectors: the grid cells of all items.</summary>
    public long Rows => Shape[0] * Shape[1] * Shape[2];

    public int Width => (int)Shape[3];

    /// <summary>Reads all vectors as [rows, d] in float32.</summary>
    public Tensor ReadRows()
    {
        using var checkpoint = Checkpoint.Open(Path);
        var target = empty([Rows, Width], dtype: ScalarType.Float32);
        using var view = target.view(Shape.ToArray());
        checkpoint.Read(TensorName, view);
        return target;
    }

    internal static string FileName(long first, long end) =>
        string.Create(CultureInfo.InvariantCulture, $"items-{first:D9}-{end:D9}.safetensors");

    /// <summary>The range of items in the name of a shard; null for other files.</summary>
    internal static (long First, long End)? ParseName(string path)
    {
        var parts = System.IO.Path.GetFileNameWithoutExtension(path).Split('-');
        return parts.Length == 3 && parts[0] == "items" && path.EndsWith(".safetensors", StringComparison.Ordinal)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var end)
            && first < end
            ? (first, end)
            : null;
    }

    /// <summary>Reads the header of a shard.</summary>
    /// <exception cref="CheckpointException">The file is truncated or broken.</exception>
    /// <exception cref="SaeException">It does not hold the activations that its name says.</exception>
    internal static ActivationShard Open(string path)
    {
        var range = ParseName(path) ?? throw new SaeException($"{path}: this is not the name of a shard of activations.");
        using var checkpoint = Checkpoint.Open(path);
        if (!checkpoint.Entries.TryGetValue(TensorName, out var entry) || entry.Shape.Length != 4)
            throw new SaeException($"{path}: contains no tensor {TensorName} of shape [items, h, w, d].");
        return entry.Shape[0] == range.End - range.First
            ? new ActivationShard(path, range.First, range.End, entry.Shape)
            : throw new SaeException($"{path}: contains {entry.Shape[0]} items, but its name says {range.End - range.First}.");
    }
}

/// <summary>
/// An endless stream of batches of shuffled vectors. Each epoch reads the shards in random order, several at a time, and shuffles their
/// vectors. The order depends only on the seed, so that a training can continue at any batch.
/// </summary>
/// <param name="batchSize">Vectors per batch. An epoch leaves out the vectors of a window that do not fill a batch.</param>
/// <param name="windowRows">Vectors that are shuffled together, at least. Each takes 4 d bytes of memory.</param>
public sealed class ActivationStream(ActivationCollection collection, int batchSize, ulong seed, long windowRows = 1 << 17)
{
    private readonly ShuffledOrder _order = new(collection.Shards, seed);

    /// <summary>Number of batches in an epoch. It may differ slightly between epochs.</summary>
    public long BatchesOf(long epoch) => Windows(epoch).Sum(BatchesIn);

    /// <summary>
    /// Reads all batches from number <paramref name="first"/> on, [batch, d] in float32. Windows before it are not read. The caller
    /// disposes each batch.
    /// </summary>
    /// <exception cref="SaeException">The collection is smaller than a batch.</exception>
    public IEnumerable<Tensor> Read(long first = 0)
    {
        if (collection.Rows < batchSize)
            throw new SaeException($"A batch needs {batchSize} vectors, but the collection has only {collection.Rows}.");
        long number = 0;
        for (long epoch = 0; ; epoch++)
        {
            var index = 0;
            foreach (var window in Windows(epoch))
            {
                var count = BatchesIn(window);
                var skipped = Math.Clamp(first - number, 0, count);
                number += count;
                if (skipped < count)
                {
                    foreach (var batch in Batches(window, ShuffledOrder.Mix(seed + (ulong)epoch, index), skipped, count))
                        yield return batch;
                }

                index++;
            }
        }
    }

    private IEnumerable<ActivationShard[]> Windows(long epoch) => _order.Windows(epoch, Math.Max(windowRows, batchSize));

    private long BatchesIn(ActivationShard[] window) => window.Sum(shard => shard.Rows) / batchSize;

    private IEnumerable<Tensor> Batches(ActivationShard[] window, ulong shuffle, long from, long to)
    {
        using var rows = Mixed(window, shuffle);
        for (var batch = from; batch < to; batch++)
        {
            using var view = rows.narrow(0, batch * batchSize, batchSize);
            yield return view.clone().DetachFromDisposeScope();
        }
    }

    private static Tensor Mixed(ActivationShard[] window, ulong shuffle)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(shuffle & long.MaxValue);
        var count = window.Sum(shard => shard.Rows);
        // Copies each shard's rows straight to their places, so that the window is in memory only once.
        var places = randperm(count, dtype: ScalarType.Int64, generator: generator).argsort();
        var mixed = empty([count, window[0].Width], dtype: ScalarType.Float32);
        long first = 0;
        foreach (var shard in window)
        {
            using var inner = NewDisposeScope();
            mixed.index_copy_(0, places.narrow(0, first, shard.Rows), shard.ReadRows());
            first += shard.Rows;
        }
        return mixed.DetachFromDisposeScope();
    }
}

/// <summary>The order in which an epoch reads the shards. It depends only on the seed and the epoch.</summary>
internal sealed class ShuffledOrder(IReadOnlyList<ActivationShard> shards, ulong seed)
{
    public ActivationShard[] Shards(long epoch)
    {
        var order = shards.ToArray();
        new Random(unchecked((int)Mix(seed, epoch))).Shuffle(order);
        return order;
    }

    /// <summary>Groups of shards with at least this many rows each; the last group may have fewer.</summary>
    public IEnumerable<ActivationShard[]> Windows(long epoch, long rows)
    {
        var window = new List<ActivationShard>();
        foreach (var shard in Shards(epoch))
        {
            window.Add(shard);
            if (window.Sum(each => each.Rows) < rows)
                continue;
            yield return [.. window];
            window.Clear();
        }

        if (window.Count > 0)
            yield return [.. window];
    }

    /// <summary>SplitMix64, so that consecutive numbers give unrelated seeds.</summary>
    public static ulong Mix(ulong seed, long number)
    {
        var z = unchecked(seed + 0x9E3779B97F4A7C15UL * (ulong)(number + 1));
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EBUL);
        return z ^ (z >> 31);
    }
}
