namespace SaeUnbox.Core;

/// <summary>
/// Describes the features of one model: statistics, example pictures, words, neighbours. Read-only and thread-safe. A model without an
/// atlas file has an atlas that knows only the statistics from its autoencoders.
/// </summary>
public interface IFeatureAtlas
{
    /// <summary>The sites that have features, in the order of the U-Net.</summary>
    IReadOnlyList<Site> Sites { get; }

    /// <summary>Prompts and features that work well; may be empty.</summary>
    IReadOnlyList<Suggestion> Suggestions { get; }

    /// <summary>Named groups of features, by name; may be empty.</summary>
    IReadOnlyList<Concept> Concepts => [];

    /// <summary>The words that the model knows; null if it knows language at large.</summary>
    Vocabulary? Vocabulary => null;

    /// <summary>
    /// Searches features by words, number and site, and by the meaning of their pictures if the atlas supports it. Returns one page. The
    /// first search by meaning may take seconds, so do not call this on a UI thread.
    /// </summary>
    FeatureHits Search(FeatureQuery query);

    /// <summary>Returns null if the site has no such feature.</summary>
    FeatureCard? Find(Site site, int feature);

    /// <summary>The pictures in which a feature is strongest (mean over the grid), strongest first.</summary>
    IReadOnlyList<TopPicture> TopPictures(Site site, int feature);

    /// <summary>The features with the nearest decoder directions by cosine, at this site and at all others of the same width.</summary>
    IReadOnlyList<SimilarFeature> Similar(Site site, int feature);

    /// <summary>How a feature is active over many pictures, as far as the atlas counted it.</summary>
    FeatureActivity Activity(Site site, int feature) => FeatureActivity.Unknown;

    /// <summary>Positions of a site's features on a 2-D map; empty if there is no map.</summary>
    IReadOnlyList<FeaturePlace> Map(Site site);

    /// <summary>Finds a picture by its name in one of the atlas's records; null for none.</summary>
    AtlasPicture? Picture(string name);
}

/// <summary>An encoded picture of an atlas.</summary>
/// <param name="MediaType">For example image/jpeg.</param>
public sealed record AtlasPicture(string MediaType, ReadOnlyMemory<byte> Bytes);

/// <summary>The summary of a feature in a list.</summary>
/// <param name="Name">A short readable name; null for none.</param>
/// <param name="Words">Words that are unusually frequent in the captions of its pictures, most distinctive first.</param>
/// <param name="Thumbnail">Null if there is no picture.</param>
public sealed record FeatureCard(FeatureStatistics Statistics, string? Name, ValueList<string> Words, SpriteTile? Thumbnail)
{
    public Site Site => Statistics.Site;

    public int Feature => Statistics.Feature;

    /// <summary>What it was measured to do; null if it was not measured.</summary>
    public FeatureEffect? Effect { get; init; }

    /// <summary>Name of the thumbnail as a separate picture, see <see cref="IFeatureAtlas.Picture"/>; null for none.</summary>
    public string? Tile => Thumbnail is null ? null : $"tiles/{Site}/{Feature}.jpg";

    /// <summary>True if the feature was never active in the collected data.</summary>
    public bool IsDead => Statistics.Mean == 0;
}

/// <summary>What a feature does to test pictures when it is painted into them, and when it is taken out.</summary>
/// <param name="Element">What it paints and takes out, such as "house".</param>
/// <param name="Strength">
/// The strength of mode add that works best, in units of its mean; null if it paints the element at none of those that were tried.
/// </param>
/// <param name="Painted">Share of the pictures without the element in which it is there after painting, 0 to 1.</param>
/// <param name="Removed">
/// Share of the pictures with the element in which it is gone at strength -1 of mode scale, 0 to 1; null if it was in none.
/// </param>
public sealed record FeatureEffect(string Element, double? Strength, double Painted, double? Removed);

/// <summary>A tile of a sprite sheet.</summary>
/// <param name="Picture">Name of the sheet, see <see cref="IFeatureAtlas.Picture"/>.</param>
/// <param name="X">Left edge in pixels.</param>
/// <param name="Y">Upper edge in pixels.</param>
/// <param name="Size">Side in pixels.</param>
/// <param name="SheetWidth">Width of the sheet in pixels.</param>
/// <param name="SheetHeight">Height of the sheet in pixels.</param>
public sealed record SpriteTile(string Picture, int X, int Y, int Size, int SheetWidth, int SheetHeight);

/// <summary>A picture that activates a feature strongly.</summary>
/// <param name="Picture">Name for <see cref="IFeatureAtlas.Picture"/>.</param>
/// <param name="Caption">The prompt; "" if unknown.</param>
/// <param name="Seed">Null if unknown.</param>
/// <param name="Mean">Mean activation over the grid.</param>
/// <param name="Heat">Each cell's activation divided by the largest, from 0 to 1; null if it was not stored.</param>
public sealed record TopPicture(string Picture, string Caption, long? Seed, double Mean, BrushMask? Heat);

/// <param name="Cosine">Of the decoder directions: how much of one is painted along with the other.</param>
public sealed record SimilarFeature(FeatureCard Card, double Cosine)
{
    /// <summary>
    /// The cosine from which features count as similar. Thousands of random directions of a hundred channels reach about .35 by chance.
    /// </summary>
    public const double LeastCosine = .4;
}

/// <param name="X">From the left, 0 to 1.</param>
/// <param name="Y">From the top, 0 to 1.</param>
public readonly record struct FeaturePlace(int Feature, float X, float Y);

public sealed record FeatureQuery
{
    /// <summary>Words to find in names, words and captions, or a feature number; null or blank for all features.</summary>
    public string? Text { get; init; }

    /// <summary>Null for all sites.</summary>
    public Site? Site { get; init; }

    /// <summary>Only these features, even if they were never active; null for all.</summary>
    public IReadOnlySet<(Site Site, int Feature)>? Only { get; init; }

    public FeatureSort Sort { get; init; } = FeatureSort.Relevance;

    /// <summary>Whether to include features that were never active.</summary>
    public bool Dead { get; init; }

    /// <summary>Number of hits to skip.</summary>
    public int Offset { get; init; }

    /// <summary>Most hits to return, up to <see cref="MaxLimit"/>.</summary>
    public int Limit { get; init; } = 60;

    public const int MaxLimit = 500;

    public const int MaxTextLength = 200;
}

public enum FeatureSort
{
    /// <summary>The best match first; without a text the same as <see cref="Frequency"/>.</summary>
    Relevance,
    Number,

    /// <summary>The most frequent first.</summary>
    Frequency,

    /// <summary>The largest mean activation first.</summary>
    Mean,

    /// <summary>The feature with the strongest top picture first.</summary>
    Max,
}

/// <param name="Total">Number of hits on all pages.</param>
/// <param name="Hits">The requested page.</param>
/// <param name="Note">What could not be searched, in one sentence; null for nothing.</param>
public sealed record FeatureHits(int Total, IReadOnlyList<FeatureHit> Hits, string? Note = null);

/// <param name="Match">The text that contains the words; null for a list or for hits by meaning only.</param>
public sealed record FeatureHit(FeatureCard Card, string? Match, FoundBy By = FoundBy.List);

/// <summary>How a feature was found.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FoundBy>))]
public enum FoundBy
{
    /// <summary>Listed without a search text.</summary>
    [JsonStringEnumMemberName("list")] List,

    /// <summary>Its name, words or captions contain the search words.</summary>
    [JsonStringEnumMemberName("words")] Words,

    /// <summary>Its pictures match the meaning of the text.</summary>
    [JsonStringEnumMemberName("meaning")] Meaning,

    [JsonStringEnumMemberName("both")] Both,
}

/// <summary>An example to try: a prompt, with or without an edit.</summary>
/// <param name="Title">A short name, such as "Let it snow".</param>
/// <param name="Recipe">Edits without a mask are meant to be painted by hand.</param>
public sealed record Suggestion(string Title, Recipe Recipe);

/// <summary>Statistics of a feature over many images.</summary>
/// <param name="Mean">Mean activation over the positions where it is active; 0 if it never was.</param>
/// <param name="Std">Standard deviation over the same positions.</param>
/// <param name="Frequency">Fraction of all positions where it is active; null if it was not counted.</param>
public sealed record FeatureStatistics(Site Site, int Feature, double Mean, double Std, double? Frequency = null)
{
    /// <summary>An activation in the feature's own unit, its <see cref="Mean"/>; null if that is 0 or unknown.</summary>
    public double? Relative(double activation) => Mean > 0 ? activation / Mean : null;
}

/// <summary>How a feature is active over the pictures of an atlas.</summary>
/// <param name="Histogram">Null if it was not counted.</param>
/// <param name="Together">Features that are active in the same pictures, the largest correlation first.</param>
/// <param name="Random">A random choice of the pictures in which it is active, strongest first.</param>
/// <param name="Weak">Pictures in which it is only weakly active: the weakest of another random choice, strongest first.</param>
public sealed record FeatureActivity(
    ActivationHistogram? Histogram, IReadOnlyList<TogetherFeature> Together, IReadOnlyList<TopPicture> Random,
    IReadOnlyList<TopPicture> Weak)
{
    /// <summary>What an atlas knows that was made without it.</summary>
    public static FeatureActivity Unknown { get; } = new(null, [], [], []);
}

/// <summary>
/// Numbers of cells by activation. The bins are logarithmic: bin i holds activations from 2^(i/4) up to 2^((i + 1)/4).
/// </summary>
/// <param name="First">Number of the first bin.</param>
/// <param name="Counts">Cells in that bin and the following ones.</param>
public sealed record ActivationHistogram(int First, IReadOnlyList<long> Counts)
{
    public const int BinsPerOctave = 4;

    /// <param name="activation">Above 0.</param>
    public static int BinOf(double activation) => (int)Math.Floor(BinsPerOctave * Math.Log2(activation));

    /// <summary>The smallest activation of a bin.</summary>
    public static double BoundOf(int bin) => Math.Pow(2, (double)bin / BinsPerOctave);
}

/// <param name="Correlation">Pearson's, of the mean activations of the two features over all pictures.</param>
public sealed record TogetherFeature(FeatureCard Card, double Correlation);
