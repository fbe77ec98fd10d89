namespace SaeUnbox.Serving;

/// <summary>Several rankings of the same things as one: reciprocal rank fusion (Cormack, Clarke and Buettcher 2009).</summary>
internal static class RankFusion
{
    private const double Flatness = 60;

    /// <summary>The things of both, those first that are high in either and higher still in both.</summary>
    /// <param name="key">What makes two of them the same.</param>
    /// <param name="both">One of the two that are the same.</param>
    public static IEnumerable<T> Merge<T, TKey>(IEnumerable<T> first, IEnumerable<T> second, Func<T, TKey> key, Func<T, T, T> both)
        where TKey : notnull
    {
        var merged = new Dictionary<TKey, (T Item, double Score)>();
        foreach (var list in (IEnumerable<T>[])[first, second])
            foreach (var (rank, item) in list.Index())
            {
                var known = merged.TryGetValue(key(item), out var seen);
                merged[key(item)] = (known ? both(seen.Item, item) : item, seen.Score + 1 / (Flatness + rank + 1));
            }
        return merged.Values.OrderByDescending(one => one.Score).Select(one => one.Item);
    }
}
