namespace SaeUnbox.Lab;

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
