using System.Buffers.Binary;
using System.Collections.Concurrent;

namespace SaeUnbox.Serving;

/// <summary>Finds the features whose pictures are nearest to a text.</summary>
/// <param name="vectors">What the features' pictures show.</param>
/// <param name="embedder">Of the vectors' model; made when the first text is searched for.</param>
internal sealed class EmbeddingIndex(IReadOnlyList<FeatureEmbedding> vectors, Lazy<ITextEmbedder> embedder)
{
    private const int MostKnown = 64;
    private readonly ConcurrentDictionary<string, float[]> _known = new();

    /// <summary>Nearest first, by cosine.</summary>
    /// <param name="site">Only of this site; null for all.</param>
    /// <exception cref="AtlasException">The embedder cannot be used.</exception>
    public IEnumerable<(HookSite Site, int Feature)> Nearest(string text, HookSite? site, int count)
    {
        // Pages of one search, and the letters of a word that is typed, ask for the same text again.
        if (_known.Count >= MostKnown)
            _known.Clear();
        var query = _known.GetOrAdd(text, embedder.Value.Embed);
        return vectors.Where(one => site is null || one.Site == site).Select(one => (one.Site, one.Feature, Cosine: Dot(one.Vector, query)))
            .OrderByDescending(one => one.Cosine).Take(count).Select(one => (one.Site, one.Feature));
    }

    /// <summary>Makes the embedder now.</summary>
    /// <exception cref="AtlasException">It cannot be used.</exception>
    public void Prepare() => _ = embedder.Value;

    /// <summary>Whether the vectors are of the embedder's model.</summary>
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

/// <summary>What features' pictures show, as unit vectors of one model that embeds texts, too.</summary>
/// <param name="Probe">The same model's vector of <see cref="ProbeText"/>, by which it is known again.</param>
/// <param name="Vectors">Features with pictures; each the normalised mean of its pictures' vectors.</param>
public sealed record FeatureEmbeddings(float[] Probe, IReadOnlyList<FeatureEmbedding> Vectors)
{
    public const string ProbeText = "a photo";
}

public readonly record struct FeatureEmbedding(HookSite Site, int Feature, float[] Vector);

/// <summary>Brings texts to vectors that lie near those of pictures that show what the text says, such as CLIP's. Safe for many threads.</summary>
public interface ITextEmbedder
{
    /// <summary>The text as a unit vector.</summary>
    float[] Embed(string text);
}

/// <summary>Vectors as they lie in the file: 16-bit floats, little end first.</summary>
internal static class VectorBytes
{
    public static byte[] Of(float[] vector)
    {
        var bytes = new byte[vector.Length * 2];
        for (var i = 0; i < vector.Length; i++)
            BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(i * 2), (Half)vector[i]);
        return bytes;
    }

    /// <exception cref="FormatException">The bytes are no vector of this width.</exception>
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
