using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

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
