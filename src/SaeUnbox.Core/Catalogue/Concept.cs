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

    /// <summary>The site where painting the concept works best; null if none was measured.</summary>
    [JsonIgnore]
    public ConceptSite? BestForPainting => Sites.Where(site => site.Painting is not null).MaxBy(site => site.Painting!.Share);

    /// <summary>The site where taking the concept out works best; null if none was measured.</summary>
    [JsonIgnore]
    public ConceptSite? BestForRemoval => Sites.Where(site => site.Removal is not null).MaxBy(site => site.Removal!.Share);

    /// <summary>
    /// The edit that puts the concept in, everywhere: the measured one, else that of all features at the site where they score most.
    /// </summary>
    /// <param name="strength">What the features of an unmeasured concept share.</param>
    public FeatureEdit ToPaint(double strength) => BestForPainting is { } site
        ? site.Edit(site.Painting!)
        : Clearest.Edit(new(EditMode.Add, strength / Clearest.Features.Count, Clearest.Features.Count, 0));

    /// <summary>
    /// The edit that takes the concept out, everywhere: the measured one, else replaced cells where its features score most.
    /// </summary>
    public FeatureEdit ToRemove() => BestForRemoval is { } site
        ? site.Edit(site.Removal!)
        : Clearest.Edit(new(EditMode.ReplaceNearest, 1, Clearest.Features.Count, 0));

    private ConceptSite Clearest => Sites.MaxBy(site => site.Features.Sum(feature => feature.Score))!;

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
public sealed record ConceptSite(Site Site, IReadOnlyList<ConceptFeature> Features)
{
    /// <summary>The edit that puts the concept in best here; null if none was measured.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ConceptEffect? Painting { get; init; }

    /// <summary>The edit that takes the concept out best here; null if none was measured.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ConceptEffect? Removal { get; init; }

    /// <summary>The measured edit, everywhere.</summary>
    public FeatureEdit Edit(ConceptEffect effect)
    {
        var features = effect.Weighted?.Select(one => one.Feature) ?? Features.Take(effect.Features).Select(one => one.Feature);
        return new(Site, features.First(), effect.Strength)
        {
            Also = [.. features.Skip(1)],
            Weights = [.. effect.Weighted?.Select(one => one.Weight) ?? []],
            Mode = effect.Mode,
            Grow = effect.Grow,
        };
    }
}

/// <summary>What an edit with a concept's features was measured to do.</summary>
/// <param name="Mode">The edit's mode.</param>
/// <param name="Strength">The edit's strength.</param>
/// <param name="Features">How many features act: the first of the site, or those of <see cref="Weighted"/>.</param>
/// <param name="Share">Share of the pictures in which it worked, 0 to 1.</param>
/// <param name="Grow">By how many cells the found ones grow; 0 for modes that find none.</param>
public sealed record ConceptEffect(EditMode Mode, double Strength, int Features, double Share, int Grow = 0)
{
    /// <summary>The features that act, with their weights; null if they are the site's first ones, each with the weight 1.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<WeightedFeature>? Weighted { get; init; }
}

/// <summary>How well a feature stands for a concept.</summary>
/// <param name="Feature">Index in the site's dictionary.</param>
/// <param name="Score">Its share of all activation where the concept is, less its share elsewhere: -1 to 1.</param>
/// <param name="Auc">
/// The chance that it is stronger in a cell with the concept than in one without, ties counted half; null if it was not measured.
/// </param>
public sealed record ConceptFeature(int Feature, double Score, double? Auc);
