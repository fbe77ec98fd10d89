using System.Text.Json.Serialization;

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

/// <summary>What a list shows of a feature.</summary>
/// <param name="Statistics">Names the feature, too.</param>
/// <param name="Name">A short name for people; null where none was found.</param>
/// <param name="Words">Words that the captions of its pictures have more often than others, the most telling first.</param>
/// <param name="Thumbnail">A tile of a sprite; null where there is no picture.</param>
public sealed record FeatureCard(FeatureStatistics Statistics, string? Name, ValueList<string> Words, SpriteTile? Thumbnail)
{
    public HookSite Site => Statistics.Site;

    public int Feature => Statistics.Feature;

    /// <summary>The tile as a picture of its own, see <see cref="IFeatureAtlas.Picture"/>; null where there is none.</summary>
    public string? Tile => Thumbnail is null ? null : $"tiles/{Site}/{Feature}.jpg";

    /// <summary>True where it was never seen active.</summary>
    public bool IsDead => Statistics.Mean == 0;
}

/// <summary>A tile of a picture that holds many.</summary>
/// <param name="Picture">The picture's name, see <see cref="IFeatureAtlas.Picture"/>.</param>
/// <param name="X">Left edge in pixels.</param>
/// <param name="Y">Upper edge in pixels.</param>
/// <param name="Size">Side in pixels.</param>
/// <param name="SheetWidth">Width of the whole picture in pixels.</param>
/// <param name="SheetHeight">Height of the whole picture in pixels.</param>
public sealed record SpriteTile(string Picture, int X, int Y, int Size, int SheetWidth, int SheetHeight);

/// <summary>A picture in which a feature is strong.</summary>
/// <param name="Picture">The picture's name, see <see cref="IFeatureAtlas.Picture"/>.</param>
/// <param name="Caption">Its prompt; "" where it is not known.</param>
/// <param name="Seed">Its seed; null where it is not known.</param>
/// <param name="Mean">Mean activation over the grid.</param>
/// <param name="Heat">The activation in each cell over the largest, from 0 to 1; null where it was not kept.</param>
public sealed record TopPicture(string Picture, string Caption, long? Seed, double Mean, BrushMask? Heat);

/// <param name="Card">The other feature.</param>
/// <param name="Cosine">Of the decoder directions.</param>
public sealed record SimilarFeature(FeatureCard Card, double Cosine);

/// <param name="Feature">Its index.</param>
/// <param name="X">From the left, 0 to 1.</param>
/// <param name="Y">From the top, 0 to 1.</param>
public readonly record struct FeaturePlace(int Feature, float X, float Y);

/// <summary>Which features are wanted.</summary>
public sealed record FeatureQuery
{
    /// <summary>Words of names, words and captions, or a feature's number; null or blank for all features.</summary>
    public string? Text { get; init; }

    /// <summary>Only of this site; null for all.</summary>
    public HookSite? Site { get; init; }

    public FeatureSort Sort { get; init; } = FeatureSort.Relevance;

    /// <summary>Also features that were never seen active.</summary>
    public bool Dead { get; init; }

    /// <summary>Hits to leave out at the start.</summary>
    public int Offset { get; init; }

    /// <summary>Most hits that are given, up to <see cref="MaxLimit"/>.</summary>
    public int Limit { get; init; } = 60;

    public const int MaxLimit = 500;

    public const int MaxTextLength = 200;
}

public enum FeatureSort
{
    /// <summary>The best match first; without a text as <see cref="Frequency"/>.</summary>
    Relevance,
    Number,

    /// <summary>The most frequent first.</summary>
    Frequency,

    /// <summary>The largest mean activation first.</summary>
    Mean,

    /// <summary>The strongest first picture first.</summary>
    Max,
}

/// <param name="Total">Hits in all.</param>
/// <param name="Hits">The page that was asked for.</param>
/// <param name="Note">What could not be searched, in a sentence; null where all was.</param>
public sealed record FeatureHits(int Total, IReadOnlyList<FeatureHit> Hits, string? Note = null);

/// <param name="Card">The feature.</param>
/// <param name="Match">The text in which the words were found; null where none were asked for, or its pictures alone show what they say.</param>
/// <param name="By">How it was found.</param>
public sealed record FeatureHit(FeatureCard Card, string? Match, FoundBy By = FoundBy.List);

/// <summary>What makes a feature a hit.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<FoundBy>))]
public enum FoundBy
{
    /// <summary>No words were asked for.</summary>
    [JsonStringEnumMemberName("list")] List,

    /// <summary>Its name, words or captions have the words.</summary>
    [JsonStringEnumMemberName("words")] Words,

    /// <summary>Its pictures show what the words mean.</summary>
    [JsonStringEnumMemberName("meaning")] Meaning,

    [JsonStringEnumMemberName("both")] Both,
}

/// <summary>Something to try: a prompt, and where there is one a feature that does something to it.</summary>
/// <param name="Title">A short name, such as "Let it snow".</param>
/// <param name="Recipe">The whole of it; its edits may have no mask, to be painted by hand.</param>
public sealed record Suggestion(string Title, Recipe Recipe);

/// <summary>What is known of a feature over many images.</summary>
/// <param name="Site">Its site.</param>
/// <param name="Feature">Its index.</param>
/// <param name="Mean">Mean activation over the positions at which it is active; 0 where it never was.</param>
/// <param name="Std">Standard deviation over the same positions.</param>
/// <param name="Frequency">Share of all positions at which it is active; null where it was not counted.</param>
public sealed record FeatureStatistics(HookSite Site, int Feature, double Mean, double Std, double? Frequency = null);
