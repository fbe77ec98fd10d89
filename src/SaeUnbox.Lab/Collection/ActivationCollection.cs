using System.Globalization;
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
    public string Fingerprint => FileFingerprint.Compute(Shards.Select(shard => (Path.GetFileName(shard.Path), shard.Path)));

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

/// <summary>
/// One file of collected activations: differences output - input of one site for the items First to End - 1, as the
/// tensor <c>activations</c> [items, h, w, d].
/// </summary>
/// <param name="Path">The safetensors file.</param>
/// <param name="First">Number of its first item.</param>
/// <param name="End">Number behind its last item.</param>
/// <param name="Shape">[items, h, w, d].</param>
public sealed record ActivationShard(string Path, long First, long End, IReadOnlyList<long> Shape)
{
    internal const string TensorName = "activations";

    /// <summary>Grid cells of all items: the vectors a training sees.</summary>
    public long Rows => Shape[0] * Shape[1] * Shape[2];

    public int Width => (int)Shape[3];

    /// <summary>Reads the whole shard as [rows, d] float32.</summary>
    public torch.Tensor ReadRows()
    {
        using var checkpoint = Checkpoint.Open(Path);
        var target = torch.empty([Rows, Width], dtype: torch.ScalarType.Float32);
        using var view = target.view(Shape.ToArray());
        checkpoint.Read(TensorName, view);
        return target;
    }

    internal static string FileName(long first, long end) =>
        string.Create(CultureInfo.InvariantCulture, $"items-{first:D9}-{end:D9}.safetensors");

    /// <summary>The item range of a shard's file name; null for other files.</summary>
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
    /// <exception cref="CheckpointException">The file is cut short or broken.</exception>
    /// <exception cref="SaeException">It holds no activations.</exception>
    internal static ActivationShard Open(string path)
    {
        var range = ParseName(path) ?? throw new SaeException($"{path}: not named as a shard of activations.");
        using var checkpoint = Checkpoint.Open(path);
        if (!checkpoint.Entries.TryGetValue(TensorName, out var entry) || entry.Shape.Length != 4)
            throw new SaeException($"{path}: holds no tensor {TensorName} [items, h, w, d].");
        return entry.Shape[0] == range.End - range.First
            ? new ActivationShard(path, range.First, range.End, entry.Shape)
            : throw new SaeException($"{path}: holds {entry.Shape[0]} items, its name says {range.End - range.First}.");
    }
}

/// <summary>
/// Batches of shuffled vectors, epoch after epoch, without end. Shards are read in random order, several at a time, and
/// their rows mixed; the order depends on the seed alone, so a batch has a number and a run can go on at any of them.
/// </summary>
/// <param name="collection">What is read.</param>
/// <param name="batchSize">Rows of a batch. The rows of a window that fill no batch are left out in that epoch.</param>
/// <param name="seed">Fixes the order.</param>
/// <param name="windowRows">Rows in memory at once, at least; 4 d bytes each, and one shard while it is read.</param>
public sealed class ActivationStream(ActivationCollection collection, int batchSize, ulong seed, long windowRows = 1 << 17)
{
    private readonly ShuffledOrder _order = new(collection.Shards, seed);

    /// <summary>Batches of one epoch (it may differ by a few between epochs).</summary>
    public long BatchesOf(long epoch) => Windows(epoch).Sum(BatchesIn);

    /// <summary>
    /// All batches from number <paramref name="first"/> on, [batch, d] float32; windows before it are not read. Each batch
    /// is the caller's to dispose.
    /// </summary>
    public IEnumerable<Tensor> Read(long first = 0)
    {
        if (collection.Rows < batchSize)
            throw new SaeException($"A batch of {batchSize} vectors is wanted, the collection holds {collection.Rows}.");
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
        // Each shard's rows go straight to their places: the window is never there twice.
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

/// <summary>The order in which an epoch reads the shards: a function of seed and epoch alone.</summary>
internal sealed class ShuffledOrder(IReadOnlyList<ActivationShard> shards, ulong seed)
{
    public ActivationShard[] Shards(long epoch)
    {
        var order = shards.ToArray();
        new Random(unchecked((int)Mix(seed, epoch))).Shuffle(order);
        return order;
    }

    /// <summary>Shards that are in memory together: at least so many rows, as long as there are.</summary>
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

    // SplitMix64: neighbouring epochs must not give neighbouring seeds.
    public static ulong Mix(ulong seed, long number)
    {
        var z = unchecked(seed + 0x9E3779B97F4A7C15UL * (ulong)(number + 1));
        z = unchecked((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL);
        z = unchecked((z ^ (z >> 27)) * 0x94D049BB133111EBUL);
        return z ^ (z >> 31);
    }
}
