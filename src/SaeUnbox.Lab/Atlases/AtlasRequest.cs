namespace SaeUnbox.Lab;

/// <summary>What an atlas is made from.</summary>
public sealed record AtlasRequest
{
    public required IReadOnlyList<Caption> Captions { get; init; }

    /// <summary>Pictures kept for a feature.</summary>
    public int TopPictures { get; init; } = 8;

    /// <summary>Longer side of a kept picture in pixels.</summary>
    public int PictureSide { get; init; } = 160;

    /// <summary>Side of a feature's tile in pixels.</summary>
    public int TileSide { get; init; } = 64;

    /// <summary>Neighbours kept for a feature in each site.</summary>
    public int Neighbours { get; init; } = 6;

    /// <summary>Names that are known from elsewhere; they go before those that words give.</summary>
    public IReadOnlyDictionary<(HookSite Site, int Feature), string> Names { get; init; } = new Dictionary<(HookSite, int), string>();

    public IReadOnlyList<Suggestion> Suggestions { get; init; } = [];
}
