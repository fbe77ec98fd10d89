using System.Buffers.Binary;
using System.Collections.Concurrent;

namespace SaeUnbox.Serving;

/// <summary>Finds the features whose pictures are nearest to a text. Thread-safe.</summary>
/// <param name="embedder">Of the same model as the vectors; created on the first search.</param>
internal sealed class EmbeddingIndex(IReadOnlyList<FeatureEmbedding> vectors, Lazy<ITextEmbedder> embedder)
{
    private const int MaxCached = 64;
    private readonly ConcurrentDictionary<string, float[]> _cache = new();

    /// <summary>The nearest features by cosine, nearest first.</summary>
    /// <param name="site">Null for all sites.</param>
    /// <exception cref="AtlasException">The embedder cannot be used.</exception>
    public IEnumerable<(Site Site, int Feature)> Nearest(string text, Site? site, int count)
    {
        // The pages of one search ask for the same text again.
        if (_cache.Count >= MaxCached)
            _cache.Clear();
        var query = _cache.GetOrAdd(text, embedder.Value.Embed);
        return vectors.Where(one => site is null || one.Site == site).Select(one => (one.Site, one.Feature, Cosine: Dot(one.Vector, query)))
            .OrderByDescending(one => one.Cosine).Take(count).Select(one => (one.Site, one.Feature));
    }

    /// <summary>Creates the embedder now.</summary>
    /// <exception cref="AtlasException">The embedder cannot be used.</exception>
    public void Prepare() => _ = embedder.Value;

    /// <summary>Whether the atlas's vector of <see cref="FeatureEmbeddings.ProbeText"/> was made by the embedder's model.</summary>
    public static bool Fits(float[] probe, ITextEmbedder embedder) =>
        embedder.Embed(FeatureEmbeddings.ProbeText) is var own && own.Length == probe.Length && Dot(own, probe) > .99;

    private static double Dot(float[] a, float[] b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }
}

/// <summary>Embeddings of features, by a model that embeds pictures and texts alike.</summary>
/// <param name="Probe">The model's vector of <see cref="ProbeText"/>, which identifies the model.</param>
/// <param name="Vectors">Of each feature with pictures: the normalized mean of its pictures' unit vectors.</param>
public sealed record FeatureEmbeddings(float[] Probe, IReadOnlyList<FeatureEmbedding> Vectors)
{
    public const string ProbeText = "a photo";
}

public readonly record struct FeatureEmbedding(Site Site, int Feature, float[] Vector);

/// <summary>Embeds texts near the pictures that they describe, as CLIP does. Thread-safe.</summary>
public interface ITextEmbedder
{
    /// <returns>A unit vector.</returns>
    float[] Embed(string text);
}

/// <summary>Stores vectors as little-endian 16-bit floats.</summary>
internal static class VectorBytes
{
    public static byte[] Of(float[] vector)
    {
        var bytes = new byte[vector.Length * 2];
        for (var i = 0; i < vector.Length; i++)
            BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(i * 2), (Half)vector[i]);
        return bytes;
    }

    /// <exception cref="FormatException">The bytes are not a vector of this width.</exception>
    public static float[] Read(byte[] bytes, int width)
    {
        if (bytes.Length != width * 2)
            throw new FormatException($"a vector of {width} numbers has {bytes.Length} bytes.");
        var vector = new float[width];
        for (var i = 0; i < width; i++)
            vector[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(bytes.AsSpan(i * 2));
        return vector;
    }
}

/// <summary>Merges rankings of the same items by reciprocal rank fusion (Cormack, Clarke and Buettcher 2009).</summary>
internal static class RankFusion
{
    // The constant k of the paper: score = sum of 1 / (k + rank).
    private const double K = 60;

    /// <param name="key">Items with equal keys are the same.</param>
    /// <param name="both">Combines an item's two occurrences.</param>
    public static IEnumerable<T> Merge<T, TKey>(IEnumerable<T> first, IEnumerable<T> second, Func<T, TKey> key, Func<T, T, T> both)
        where TKey : notnull
    {
        var merged = new Dictionary<TKey, (T Item, double Score)>();
        foreach (var list in (IEnumerable<T>[])[first, second])
            foreach (var (rank, item) in list.Index())
            {
                var known = merged.TryGetValue(key(item), out var seen);
                merged[key(item)] = (known ? both(seen.Item, item) : item, seen.Score + 1 / (K + rank + 1));
            }
        return merged.Values.OrderByDescending(one => one.Score).Select(one => one.Item);
    }
}
