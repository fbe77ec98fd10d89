namespace SaeUnbox.Core;

/// <summary>
/// What is known of the features of one model: statistics, the pictures that show them best, words, neighbours. It only reads, and may be
/// read by many at once. A model without an atlas of its own has one that knows the statistics beside its autoencoders, and nothing else.
/// </summary>
public interface IFeatureAtlas
{
    /// <summary>The sites that have features, in the order of the walk.</summary>
    IReadOnlyList<HookSite> Sites { get; }

    /// <summary>Prompts and features that are known to work well; empty where none were measured.</summary>
    IReadOnlyList<Suggestion> Suggestions { get; }

    /// <summary>
    /// Features by words, number and site, a page at a time; by what pictures show, too, where the atlas can. The first such search may take
    /// seconds: not for a thread that draws.
    /// </summary>
    FeatureHits Search(FeatureQuery query);

    /// <summary>One feature; null where the site has no such feature.</summary>
    FeatureCard? Find(HookSite site, int feature);

    /// <summary>The pictures in which a feature is strongest (mean over the grid), strongest first.</summary>
    IReadOnlyList<TopPicture> TopPictures(HookSite site, int feature);

    /// <summary>The features whose decoder directions are nearest by cosine, in this and in every other site of the same width.</summary>
    IReadOnlyList<SimilarFeature> Similar(HookSite site, int feature);

    /// <summary>Places of a site's features on a plane, each coordinate from 0 to 1; empty where no map was made.</summary>
    IReadOnlyList<FeaturePlace> Map(HookSite site);

    /// <summary>A picture of the atlas by the name that a record of it gives; null where there is none.</summary>
    AtlasPicture? Picture(string name);
}

/// <summary>An encoded picture of an atlas.</summary>
/// <param name="MediaType">Such as image/jpeg.</param>
public sealed record AtlasPicture(string MediaType, ReadOnlyMemory<byte> Bytes);
