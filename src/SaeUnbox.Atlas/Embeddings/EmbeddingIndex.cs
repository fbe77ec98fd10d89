using SaeUnbox.Contracts;

namespace SaeUnbox.Atlas;

/// <summary>Finds the features whose pictures are nearest to a text.</summary>
internal sealed class EmbeddingIndex(IReadOnlyList<FeatureEmbedding> vectors, ITextEmbedder embedder)
{
    /// <summary>Nearest first, by cosine.</summary>
    /// <param name="site">Only of this site; null for all.</param>
    public IEnumerable<(HookSite Site, int Feature)> Nearest(string text, HookSite? site, int count)
    {
        var query = embedder.Embed(text);
        return vectors.Where(one => site is null || one.Site == site).Select(one => (one.Site, one.Feature, Cosine: Dot(one.Vector, query)))
            .OrderByDescending(one => one.Cosine).Take(count).Select(one => (one.Site, one.Feature));
    }

    /// <summary>Whether the vectors are of the embedder's model.</summary>
    public static bool Fits(float[] probe, ITextEmbedder embedder) =>
        embedder.Embed(FeatureEmbeddings.ProbeText) is var own && own.Length == probe.Length && Dot(own, probe) > .99;

    private static double Dot(float[] a, float[] b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
