namespace SaeUnbox.Web.Components.Shared;

/// <summary>Recipes that visitors can start with. They come from the default model's atlas.</summary>
internal static class Examples
{
    private const int MaxPrompts = 12;

    /// <summary>The first suggestion, or a simple prompt if there is none. Requires a loaded model.</summary>
    public static Recipe First(IModelCatalogue catalogue) => Suggestions(catalogue) is [var first, ..]
        ? first.Recipe
        : catalogue.Models[0].NewRecipe("a red house and a pine tree in a meadow, mountains behind");

    /// <summary>One recipe for each suggested prompt.</summary>
    public static IReadOnlyList<Recipe> Prompts(IModelCatalogue catalogue) =>
        [.. Suggestions(catalogue).Select(suggestion => suggestion.Recipe).DistinctBy(recipe => recipe.Prompt).Take(MaxPrompts)];

    /// <summary>The recipes with layers.</summary>
    public static IReadOnlyList<Suggestion> Painted(IModelCatalogue catalogue) =>
        [.. Suggestions(catalogue).Where(suggestion => suggestion.Recipe.Edits.Count > 0)];

    /// <summary>The first example with one layer that paints the sky, which shows best; null if there is none.</summary>
    public static Recipe? ToDemonstrate(IModelCatalogue catalogue) => Painted(catalogue).Select(suggestion => suggestion.Recipe)
        .FirstOrDefault(recipe => recipe.Edits is [{ Mask: { } mask }] && mask[0, 0] > 0 && mask[0, mask.Columns - 1] > 0);

    /// <summary>What the atlas suggests, with the model's LoRAs.</summary>
    public static IReadOnlyList<Suggestion> Suggestions(IModelCatalogue catalogue) =>
        catalogue.Models is [var model, ..] && catalogue.AtlasOf(model.Name) is { } atlas
            ? [.. atlas.Suggestions.Select(suggestion => suggestion with { Recipe = model.WithLoras(suggestion.Recipe) })]
            : [];
}
