namespace SaeUnbox.Web.Api;

/// <param name="Id">The recipe's id.</param>
/// <param name="Address">The address that opens the recipe in the studio.</param>
public sealed record SavedRecipe(string Id, string Address);

/// <summary>The features that are active in a picture.</summary>
/// <param name="Sites">What was read at each site.</param>
/// <param name="Note">What of the recipe had no effect, such as the words behind the last token; null for nothing.</param>
public sealed record Exploration(IReadOnlyList<SiteReading> Sites, string? Note = null);

/// <param name="Site">The site that was read.</param>
/// <param name="Step">The denoising step.</param>
/// <param name="Rows">Height of the grid in cells.</param>
/// <param name="Columns">Width of the grid in cells.</param>
/// <param name="K">Features per cell.</param>
/// <param name="Indices">rows x columns x k feature numbers, cell by cell from the upper left.</param>
/// <param name="Values">Activations of these features; 0 where fewer than k were active.</param>
/// <param name="Top">The ten features with the largest mean over the grid.</param>
/// <param name="ExplainedVariance">The share of the block's output that the features explain, 0 to 1.</param>
public sealed record SiteReading(
    Site Site, int Step, int Rows, int Columns, int K, int[] Indices, float[] Values, IReadOnlyList<ActiveFeature> Top,
    double? ExplainedVariance)
{
    private const int TopCount = 10;

    public static SiteReading Of(SiteActivations map) => new(map.Site, map.Step, map.Rows, map.Columns, map.K, map.Indices.ToArray(),
        map.Values.ToArray(), map.Top(TopCount), map.ExplainedVariance);
}

/// <param name="Card">The feature.</param>
/// <param name="TopPictures">Pictures in which the feature is strong, the strongest first.</param>
/// <param name="Similar">Features with similar directions, the most similar first.</param>
public sealed record FeatureDetails(FeatureCard Card, IReadOnlyList<TopPicture> TopPictures, IReadOnlyList<SimilarFeature> Similar);
