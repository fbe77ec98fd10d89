using System.Globalization;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>What comes onto the canvas from elsewhere: a link's recipe, the draft of this browser, a picture's, else an example.</summary>
internal static class StartingRecipe
{
    public static (Recipe Recipe, string? Note) Choose(string? link, string? draft, string? layer, IModelCatalogue catalogue)
    {
        var (recipe, note) = link is { Length: > 0 } ? OfLink(link, catalogue) : (null, null);
        if (recipe is null && draft is { Length: > 0 })
            recipe = OfJson(draft, catalogue).Recipe;
        return (WithLayer(recipe ?? Examples.First(catalogue), layer, catalogue), note);
    }

    /// <summary>A link's recipe as far as it can be used here; null where it cannot be read at all. The note says what is wrong.</summary>
    public static (Recipe? Recipe, string? Note) OfLink(string link, IModelCatalogue catalogue) => Read(defaults => Recipe.RestoreLink(link, defaults), catalogue, _ => "This link cannot be read: a part of it is missing or was changed on its way. Copy it again from where it came.");

    /// <summary>The same of JSON, as pictures carry it.</summary>
    public static (Recipe? Recipe, string? Note) OfJson(string json, IModelCatalogue catalogue) => Read(defaults => Recipe.RestoreJson(json, defaults), catalogue, error => $"This recipe cannot be read: {error.Message}.");

    private static (Recipe?, string?) Read(Func<Recipe, RestoredRecipe> restore, IModelCatalogue catalogue, Func<RecipeException, string> why)
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
            return (null, why(exception));
        }
    }

    private static string? Describe(IReadOnlyList<RecipeError> dropped) => dropped.Count == 0 ? null
        : $"Not all of this recipe could be kept: {string.Join("; ", dropped.Select(error => $"{error.Field} {error.Message}"))}.";

    private static Recipe WithLayer(Recipe recipe, string? layer, IModelCatalogue catalogue)
    {
        if (layer?.Split(':') is not [var code, var number] || !HookSite.TryParse(code, out var site) || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var feature)
            || catalogue.Find(recipe.Model)?.Find(site) is not { } sae || feature < 0 || feature >= sae.Features)
            return recipe;
        return recipe with { Edits = [.. recipe.Edits, NewLayer.Blank(sae, feature, recipe)] };
    }
}
