namespace SaeUnbox.Core;

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
