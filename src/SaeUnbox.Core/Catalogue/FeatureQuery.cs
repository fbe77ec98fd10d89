using System.Text.Json.Serialization;

namespace SaeUnbox.Core;

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
