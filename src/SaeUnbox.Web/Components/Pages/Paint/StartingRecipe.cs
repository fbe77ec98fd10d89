using SaeUnbox.Contracts;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>What comes onto the canvas from elsewhere: a link's recipe, the draft of this browser, a picture's, else an example.</summary>
internal static class StartingRecipe
{
    public static (Recipe Recipe, string? Note) Choose(string? link, string? draft, string? layer, IModelCatalogue catalogue)
    {
        var (recipe, note) = link is { Length: > 0 } ? OfLink(link, catalogue) : draft is { Length: > 0 } ? (OfJson(draft, catalogue).Recipe, null) : (null, null);
        return (WithLayer(recipe ?? Examples.First(catalogue), layer, catalogue), note);
    }

    /// <summary>A link's recipe as far as it can be used here; null where it cannot be read at all. The note says what is wrong.</summary>
    public static (Recipe? Recipe, string? Note) OfLink(string link, IModelCatalogue catalogue) => Read(defaults => Recipe.RestoreLink(link, defaults), "This link", catalogue);

    /// <summary>The same of JSON, as pictures carry it.</summary>
    public static (Recipe? Recipe, string? Note) OfJson(string json, IModelCatalogue catalogue) => Read(defaults => Recipe.RestoreJson(json, defaults), "This recipe", catalogue);

    private static (Recipe?, string?) Read(Func<Recipe, RestoredRecipe> restore, string what, IModelCatalogue catalogue)
    {
        var start = Examples.First(catalogue) with { Edits = [] };
        try
        {
            var (recipe, dropped) = restore(start);
            if (catalogue.Find(recipe.Model) is not { } model)
                return (start with { Prompt = recipe.Prompt, Seed = recipe.Seed },
                    $"This recipe was made with the model {recipe.Model}; its prompt is kept, its features are not, since they belong to that model.");
            var fitting = ModelFit.Restore(recipe, model);
            return (fitting.Recipe, Describe([.. dropped, .. fitting.Dropped]));
        }
        catch (RecipeException exception)
        {
            return (null, $"{what} cannot be read: {exception.Message}");
        }
    }

    private static string? Describe(IReadOnlyList<RecipeError> dropped) => dropped.Count == 0 ? null
        : $"Not all of this recipe could be kept: {string.Join("; ", dropped.Select(error => $"{error.Field} {error.Message}"))}.";

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
