namespace SaeUnbox.Web.Components.Shared;

/// <summary>Prompts to begin with.</summary>
internal static class Examples
{
    private const int Most = 12;

    public static Recipe First(IModelCatalogue catalogue) => catalogue.Models[0] is var model && catalogue.AtlasOf(model.Name)?.Suggestions is { Count: > 0 } suggestions
        ? suggestions[0].Recipe
        : model.NewRecipe(FirstPrompt(catalogue));

    /// <summary>One recipe of each prompt that is suggested.</summary>
    public static IReadOnlyList<Recipe> Prompts(IModelCatalogue catalogue) => catalogue.Models.FirstOrDefault() is { } model
        ? [.. (catalogue.AtlasOf(model.Name)?.Suggestions ?? []).Select(suggestion => suggestion.Recipe).DistinctBy(recipe => recipe.Prompt).Take(Most)]
        : [];

    public static string FirstPrompt(IModelCatalogue catalogue) => catalogue.Models.FirstOrDefault() is { } model && catalogue.AtlasOf(model.Name)?.Suggestions is [var first, ..]
        ? first.Recipe.Prompt
        : "a red house and a pine tree in a meadow, mountains behind";
}
