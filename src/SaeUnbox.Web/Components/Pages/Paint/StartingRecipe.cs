using System.Globalization;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Components.Pages.Paint;

/// <summary>Reads recipes of links, drafts and pictures, as far as this server can use them.</summary>
internal static class StartingRecipe
{
    /// <summary>Chooses the first recipe: that of the link, else the earlier one, else an example.</summary>
    /// <param name="link">The recipe of the address; null or empty if there is none.</param>
    /// <param name="before">What was painted on before; null for nothing.</param>
    /// <param name="layer">A feature to add as a layer, as SITE:FEATURE; ignored if the model does not have it.</param>
    /// <param name="catalogue">The models.</param>
    public static (Recipe Recipe, string? Problem) Choose(string? link, Recipe? before, string? layer, IModelCatalogue catalogue)
    {
        var (recipe, problem) = link is { Length: > 0 } ? OfLink(link, catalogue) : (null, null);
        return (WithLayer(recipe ?? before ?? Examples.First(catalogue), layer, catalogue), problem);
    }

    /// <summary>What undo leads back to: the last canvas, else the draft, with the stroke that may not have arrived.</summary>
    public static CanvasPast? PastOf(StoredState stored, CanvasSession? last, IModelCatalogue catalogue)
    {
        var past = last?.Past;
        if (past is null && stored.Draft is { Length: > 0 } draft && OfJson(draft, catalogue).Recipe is { } recipe)
            past = CanvasPast.Of(recipe.Check());
        if (past is null || !stored.HasStrokeOf(past.Steps.Current.Recipe))
            return past;
        var current = past.Steps.Current;
        try
        {
            var model = ModelFit.Require(current.Recipe, catalogue);
            past.Steps.Add(current.WithMask(stored.PendingEdit, BrushMask.Parse(stored.PendingMask!), model));
        }
        catch (RecipeException)
        {
            // The layer has another grid by now, or the server another model.
        }
        return past;
    }

    /// <summary>Reads a link. The recipe is null if the link is unreadable; the problem names what was left out.</summary>
    public static (Recipe? Recipe, string? Problem) OfLink(string link, IModelCatalogue catalogue) =>
        Read(defaults => Recipe.RestoreLink(link, defaults), catalogue,
            _ => "This link cannot be read: a part of it is missing or was changed. Copy it again from its source.");

    /// <summary>What is said of a recipe that the page did not send, because it is too long.</summary>
    public static (Recipe? Recipe, string? Problem) TooLong { get; } =
        (null, Unreadable(RecipeException.TooLong($"more than {RecipeLimits.MaxJsonLength} bytes")));

    /// <summary>Reads JSON, as drafts and pictures contain it.</summary>
    public static (Recipe? Recipe, string? Problem) OfJson(string json, IModelCatalogue catalogue) =>
        Read(defaults => Recipe.RestoreJson(json, defaults), catalogue, Unreadable);

    private static (Recipe?, string?) Read(
        Func<Recipe, RestoredRecipe> restore, IModelCatalogue catalogue, Func<RecipeException, string> describe)
    {
        var start = Examples.First(catalogue) with { Edits = [] };
        try
        {
            var (recipe, dropped) = restore(start with { Loras = [] });
            if (catalogue.Find(recipe.Model) is not { } model)
                return (start with { Prompt = recipe.Prompt, Seed = recipe.Seed },
                    $"This recipe needs the model {recipe.Model}, which this server does not have. Its prompt and seed were kept; its "
                    + "layers were left out, because features belong to a model.");
            var fitting = ModelFit.Restore(recipe, model);
            return (fitting.Recipe, Describe([.. dropped, .. fitting.Dropped]));
        }
        catch (RecipeException exception)
        {
            return (null, describe(exception));
        }
    }

    private static string Unreadable(RecipeException error) => $"This recipe cannot be read: {error.Message}.";

    private static string? Describe(IReadOnlyList<RecipeError> dropped) => dropped.Count == 0 ? null
        : $"Some parts of this recipe were left out: {string.Join("; ", dropped.Select(error => $"{error.Field} {error.Message}"))}.";

    private static Recipe WithLayer(Recipe recipe, string? layer, IModelCatalogue catalogue)
    {
        if (layer?.Split(':') is not [var code, var number] || !Site.TryParse(code, out var site)
            || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var feature)
            || catalogue.Find(recipe.Model)?.Find(site) is not { } sae || feature >= sae.Features)
            return recipe;
        return NewLayer.OnTop(recipe, NewLayer.Blank(sae, feature, recipe, catalogue.AtlasOf(recipe.Model)));
    }
}

/// <summary>What the browser stored of an earlier visit, and the link in the address.</summary>
/// <param name="Canvas">The tab's last canvas, whose undo steps continue.</param>
/// <param name="Link">A recipe in the address.</param>
/// <param name="Draft">The last recipe as JSON.</param>
/// <param name="Job">The job that made or makes the draft's picture.</param>
/// <param name="Solo">The layer that is shown alone, as written by ToJson of Solo.</param>
/// <param name="PendingEdit">The edit of the last stroke, if the draft may not contain the stroke; -1 for none.</param>
/// <param name="PendingMask">The mask of that stroke.</param>
/// <param name="IsFirst">Whether this browser has not been here before.</param>
internal sealed record StoredState(
    string? Canvas, string? Link, string? Draft, string? Job, string? Solo, int PendingEdit, string? PendingMask,
    bool IsFirst = false)
{
    /// <summary>Whether the recipe has the layer of the stored stroke.</summary>
    public bool HasStrokeOf(Recipe recipe) => PendingMask is not null && PendingEdit < recipe.Edits.Count;
}
