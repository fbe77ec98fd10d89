using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Adds to an atlas what CLIP sees in each feature's pictures, so that searches find what no caption names.</summary>
public static class AtlasEmbedding
{
    /// <param name="folder">Holds the atlas, which stays as it is until all is done.</param>
    /// <param name="progress">Told of pictures done and to do.</param>
    /// <exception cref="AtlasException">The atlas or a picture in it is broken, or the atlas cannot be written.</exception>
    public static void Add(string folder, ClipModel clip, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        var atlas = AtlasReader.Open(folder);
        var features = atlas.Sites.SelectMany(site => Features(atlas, site)).Where(feature => feature.Pictures.Length > 0).ToArray();
        var names = features.SelectMany(feature => feature.Pictures).Distinct().ToArray();
        var seen = new Dictionary<string, float[]>();
        foreach (var name in names)
        {
            cancellation.ThrowIfCancellationRequested();
            seen[name] = Embed(atlas, name, clip);
            progress?.Invoke(seen.Count, names.Length);
        }
        AtlasWriter.SetEmbeddings(Path.Combine(folder, AtlasReader.FileName), new(new ClipTextEmbedder(clip).Embed(FeatureEmbeddings.ProbeText),
            [.. features.Select(feature => new FeatureEmbedding(feature.Site, feature.Number, Mean([.. feature.Pictures.Select(name => seen[name])])))]));
    }

    private static IEnumerable<(HookSite Site, int Number, string[] Pictures)> Features(AtlasReader atlas, HookSite site)
    {
        for (var feature = 0; atlas.Find(site, feature) is not null; feature++)
            yield return (site, feature, [.. atlas.TopPictures(site, feature).Select(top => top.Picture)]);
    }

    private static float[] Embed(AtlasReader atlas, string name, ClipModel clip)
    {
        try
        {
            var picture = Jpeg.Decode((atlas.Picture(name) ?? throw new AtlasException($"The atlas lacks its picture {name}.")).Bytes.Span);
            using var scope = NewDisposeScope();
            return clip.EmbedPicture(picture.Pixels, picture.Width, picture.Height).contiguous().data<float>().ToArray();
        }
        catch (PictureException exception)
        {
            throw new AtlasException($"The atlas's picture {name} cannot be read: {exception.Message}", exception);
        }
    }

    private static float[] Mean(float[][] vectors)
    {
        var sum = Enumerable.Range(0, vectors[0].Length).Select(i => vectors.Sum(vector => vector[i])).ToArray();
        var length = MathF.Max(MathF.Sqrt(sum.Sum(value => value * value)), 1e-12f);
        return Array.ConvertAll(sum, value => value / length);
    }
}
