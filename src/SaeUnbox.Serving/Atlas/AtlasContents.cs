namespace SaeUnbox.Serving;

/// <summary>One feature as an atlas keeps it.</summary>
/// <param name="Strongest">Mean over the grid of its first picture.</param>
public sealed record AtlasFeature(FeatureStatistics Statistics, double Strongest, string? Name, IReadOnlyList<string> Words, IReadOnlyList<AtlasTop> Tops,
    IReadOnlyList<(HookSite Site, int Feature, double Cosine)> Similar, FeaturePlace? Place, int? Tile);

/// <param name="Image">Index of the picture among the atlas's images.</param>
/// <param name="Mean">Mean activation over the grid.</param>
/// <param name="Heat">Activations over the largest.</param>
public sealed record AtlasTop(int Image, double Mean, BrushMask? Heat);

/// <param name="Jpeg">The picture as it is shown.</param>
public sealed record AtlasImage(string Caption, long? Seed, int Width, int Height, byte[] Jpeg);

/// <summary>Tiles of a site's features in one picture, row by row.</summary>
public sealed record AtlasSprite(HookSite Site, int TileSize, int Columns, int Width, int Height, byte[] Jpeg);

/// <summary>All that an atlas holds.</summary>
public sealed record AtlasContents(string Model, IReadOnlyList<AtlasFeature> Features, IReadOnlyList<AtlasImage> Images, IReadOnlyList<AtlasSprite> Sprites,
    IReadOnlyList<Suggestion> Suggestions);
