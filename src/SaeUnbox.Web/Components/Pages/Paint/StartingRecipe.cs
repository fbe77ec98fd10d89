using SaeUnbox.Contracts;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>What is on the canvas at first: a link's recipe, else the draft of this browser, else an example.</summary>
internal static class StartingRecipe
{
    public static (Recipe Recipe, string? Note) Choose(string? link, string? draft, string? layer, IModelCatalogue catalogue)
    {
        var start = Examples.First(catalogue);
        var (recipe, note) = link is { Length: > 0 } ? Read(link, start, isLink: true) : draft is { Length: > 0 } ? Read(draft, start, isLink: false) : (start, null);
        return (WithLayer(recipe, layer, catalogue), note);
    }

    public static string Describe(IReadOnlyList<RecipeError> dropped) =>
        $"Not all of this recipe could be kept: {string.Join("; ", dropped.Select(error => $"{error.Field} {error.Message}"))}.";

    private static (Recipe, string?) Read(string text, Recipe start, bool isLink)
    {
        try
        {
            var blank = start with { Edits = [] };
            var restored = isLink ? Recipe.RestoreLink(text, blank) : Recipe.RestoreJson(text, blank);
            var recipe = restored.Recipe.Model == start.Model ? restored.Recipe : Fit(restored.Recipe, start);
            var note = restored.Dropped.Count > 0 ? Describe(restored.Dropped)
                : recipe != restored.Recipe ? $"This recipe was made with the model {restored.Recipe.Model}; its prompt is kept, its features are not, since they belong to that model." : null;
            return (recipe, isLink ? note : null);
        }
        catch (RecipeException exception)
        {
            return (start, isLink ? $"This link cannot be read: {exception.Message}" : null);
        }
    }

    private static Recipe Fit(Recipe recipe, Recipe start) => start with { Prompt = recipe.Prompt, Seed = recipe.Seed, Edits = [] };

    private static Recipe WithLayer(Recipe recipe, string? layer, IModelCatalogue catalogue)
    {
        if (layer?.Split(':') is not [var code, var number] || !HookSite.TryParse(code, out var site) || !int.TryParse(number, out var feature)
            || catalogue.Find(recipe.Model)?.Find(site) is not { } sae || feature < 0 || feature >= sae.Features)
            return recipe;
        return recipe with { Edits = [.. recipe.Edits, NewLayer.Blank(sae, feature, recipe)] };
    }
}

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
