namespace SaeUnbox.Core;

/// <summary>A named thing, and the features that stand for it at some sites.</summary>
/// <param name="Name">See <see cref="IsName"/>.</param>
/// <param name="Source">How its features were found, in one line.</param>
/// <param name="Sites">In the order of the U-Net.</param>
public sealed record Concept(string Name, string Source, IReadOnlyList<ConceptSite> Sites)
{
    /// <summary>
    /// Whether a text can name a concept: 1 to 100 letters, digits, spaces, hyphens and underscores, no space at the ends.
    /// </summary>
    public static bool IsName(string text) => text.Length is > 0 and <= RecipeLimits.MaxNameLength && text.Trim() == text
        && text.All(c => char.IsLetterOrDigit(c) || c is ' ' or '-' or '_');

    /// <summary>
    /// An edit with the concept's features at each of its sites. A recipe holds these edits, not the concept's name, so it stays exact
    /// wherever it is read.
    /// </summary>
    /// <param name="edit">Gives everything but site and features.</param>
    /// <param name="only">Only this site; null for all.</param>
    public IReadOnlyList<FeatureEdit> Edits(FeatureEdit edit, Site? only = null) =>
    [
        .. Sites.Where(one => only is null || one.Site == only).Select(one => edit with
        {
            Site = one.Site,
            Feature = one.Features[0].Feature,
            Also = [.. one.Features.Skip(1).Select(feature => feature.Feature)],
        }),
    ];
}

/// <param name="Site">The site.</param>
/// <param name="Features">The best first; at least one.</param>
public sealed record ConceptSite(Site Site, IReadOnlyList<ConceptFeature> Features);

/// <summary>How well a feature stands for a concept.</summary>
/// <param name="Feature">Index in the site's dictionary.</param>
/// <param name="Score">Its share of all activation where the concept is, less its share elsewhere: -1 to 1.</param>
/// <param name="Auc">
/// The chance that it is stronger in a cell with the concept than in one without, ties counted half; null if no region said where the
/// concept is.
/// </param>
public sealed record ConceptFeature(int Feature, double Score, double? Auc);
