using System.Text.Json;

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

/// <summary>A region of a picture.</summary>
/// <param name="Recipe">Makes the picture. Missing fields take the model's defaults.</param>
/// <param name="Region">What is selected, on any grid.</param>
/// <param name="Top">Features to find at each site, 1 to 100; by default 5.</param>
public sealed record SelectionRequest(Recipe Recipe, BrushMask Region, int Top = 5)
{
    private const int MaxTop = 100;

    /// <exception cref="RecipeException">A field is missing or invalid.</exception>
    internal static SelectionRequest FromJson(string json, Recipe defaults)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var recipe = Recipe.FromJson(Field(root, "recipe").GetRawText(), defaults);
            var region = Field(root, "region").Deserialize<BrushMask>()!;
            var top = root.TryGetProperty("top", out var given) ? given.GetInt32() : 5;
            return top is >= 1 and <= MaxTop ? new(recipe, region, top) : throw new RecipeException("top", $"is {top}; use 1 to {MaxTop}");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new RecipeException("selection", $"is not a JSON object with recipe and region: {error.Message}", error);
        }
    }

    private static JsonElement Field(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) ? value : throw new RecipeException(name, "is missing");
}

/// <summary>The features of a region.</summary>
/// <param name="Sites">The sites at which some feature has a larger share of all activation in the region than elsewhere.</param>
public sealed record Selection(IReadOnlyList<ConceptSite> Sites)
{
    internal static Selection Of(ActivationMaps maps, BrushMask region, int top) => new(
    [
        .. ConceptTally.OfRegion(maps, region).Select(site => new ConceptSite(site.Key, site.Value.Best(top)))
            .Where(site => site.Features.Count > 0),
    ]);
}
