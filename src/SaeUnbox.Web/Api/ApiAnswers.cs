namespace SaeUnbox.Web.Api;

/// <param name="Id">Its id.</param>
/// <param name="Address">Where it opens in the studio.</param>
public sealed record SavedRecipe(string Id, string Address);

/// <summary>What is active in a picture.</summary>
public sealed record Exploration(IReadOnlyList<SiteReading> Sites);

/// <param name="K">Features per cell.</param>
/// <param name="Indices">rows x columns x k feature numbers, cell by cell from the upper left.</param>
/// <param name="Values">Their activations; 0 where fewer were active.</param>
/// <param name="Top">The strongest over the grid.</param>
/// <param name="ExplainedVariance">Share of what the block added that the features explain.</param>
public sealed record SiteReading(HookSite Site, int Step, int Rows, int Columns, int K, int[] Indices, float[] Values, IReadOnlyList<ActiveFeature> Top, double? ExplainedVariance)
{
    private const int MostTop = 10;

    public static SiteReading Of(SiteActivations map) =>
        new(map.Site, map.Step, map.Rows, map.Columns, map.K, map.Indices.ToArray(), map.Values.ToArray(), map.Top(MostTop), map.ExplainedVariance);
}

/// <param name="Card">The feature.</param>
/// <param name="TopPictures">Pictures in which it is strong, the strongest first.</param>
/// <param name="Similar">Features whose directions lie near its own.</param>
public sealed record FeatureDetails(FeatureCard Card, IReadOnlyList<TopPicture> TopPictures, IReadOnlyList<SimilarFeature> Similar);
