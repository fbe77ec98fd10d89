namespace SaeUnbox.Web.Tests.Canvases;

/// <summary>A catalogue of one small model.</summary>
internal sealed class OneModel : IModelCatalogue
{
    public static readonly ModelInfo Mini =
        new("mini", "Mini", 1, 0, 256, 256, [new SaeInfo(Site.Composition, 512, 8, 64, CellSize: 8)]);

    public IReadOnlyList<ModelInfo> Models => [Mini];

    public IFeatureAtlas? Atlas { get; init; }

    public IFeatureAtlas? AtlasOf(string model) => Atlas;
}
