namespace SaeUnbox.Core;

/// <summary>Whether a recipe fits a model, as far as the catalogue can tell: before it waits, and before anything of it is kept.</summary>
public static class ModelFit
{
    /// <summary>Every field that does not fit; empty for a recipe that does.</summary>
    public static IReadOnlyList<RecipeError> Check(Recipe recipe, ModelInfo model)
    {
        var errors = new List<RecipeError>();
        for (var i = 0; i < recipe.Edits.Count; i++)
            errors.AddRange(Check(recipe.Edits[i], $"edits[{i}]", recipe, model));
        for (var i = 0; i < recipe.Interventions.Count; i++)
            errors.AddRange(Check(recipe.Interventions[i], $"interventions[{i}]", model));
        return errors;
    }

    /// <summary>The model of a recipe that fits it.</summary>
    /// <param name="recipe">A valid recipe.</param>
    /// <param name="catalogue">The models there are.</param>
    /// <param name="last">The model as it was last seen: with workers elsewhere it may be out of sight for a moment.</param>
    /// <exception cref="RecipeException">There is no such model, or fields do not fit it.</exception>
    public static ModelInfo Require(Recipe recipe, IModelCatalogue catalogue, ModelInfo? last = null)
    {
        var model = catalogue.Find(recipe.Model) ?? (last?.Name == recipe.Model ? last : null)
            ?? throw NoModel(recipe.Model, catalogue.Models.Select(known => known.Name));
        return Check(recipe, model) is { Count: > 0 } errors ? throw new RecipeException(errors) : model;
    }

    /// <summary>What to throw for a model that is not there.</summary>
    /// <param name="model">Its name.</param>
    /// <param name="known">The names of those that are.</param>
    public static RecipeException NoModel(string model, IEnumerable<string> known) =>
        new("model", $"there is no model {Excerpt.Of(model)} here; there are {string.Join(", ", known)}");

    /// <summary>Keeps of a recipe what fits the model, and says what was left out.</summary>
    public static RestoredRecipe Restore(Recipe recipe, ModelInfo model)
    {
        var errors = new List<RecipeError>();
        bool Fits(IReadOnlyList<RecipeError> found)
        {
            errors.AddRange(found);
            return found.Count == 0;
        }

        var edits = recipe.Edits.Where((edit, i) => Fits([.. Check(edit, $"edits[{i}]", recipe, model)])).ToValueList();
        var interventions = recipe.Interventions.Where((one, i) => Fits([.. Check(one, $"interventions[{i}]", model)])).ToValueList();
        return new(recipe with { Edits = edits, Interventions = interventions }, errors);
    }

    private static IEnumerable<RecipeError> Check(FeatureEdit edit, string path, Recipe recipe, ModelInfo model)
    {
        if (model.Find(edit.Site) is not { } sae)
        {
            yield return NoAutoencoder(edit.Site, path, model);
            yield break;
        }

        if (edit.Feature >= sae.Features)
            yield return OutOfRange(edit.Feature, path, sae);
        var (rows, columns) = sae.Grid(recipe.Width, recipe.Height);
        if (edit.Mask is { } mask && (mask.Rows != rows || mask.Columns != columns))
            yield return new($"{path}.mask", $"is {mask.Rows} x {mask.Columns} cells, but {edit.Site} has {rows} x {columns} at {recipe.Width} x {recipe.Height} pixels");
    }

    // A site can be ablated without an autoencoder: which sites there are only the model itself knows.
    private static IEnumerable<RecipeError> Check(SiteIntervention intervention, string path, ModelInfo model)
    {
        if (intervention is SiteIntervention.Ablate)
            yield break;
        if (model.Find(intervention.Site) is not { } sae)
            yield return NoAutoencoder(intervention.Site, path, model);
        else if (intervention is SiteIntervention.Icon icon && icon.Feature >= sae.Features)
            yield return OutOfRange(icon.Feature, path, sae);
    }

    private static RecipeError NoAutoencoder(HookSite site, string path, ModelInfo model) =>
        new($"{path}.site", NoAutoencoder(site, model));

    internal static string NoAutoencoder(HookSite site, ModelInfo model) =>
        $"there is no sparse autoencoder for {site}; there are {(model.Sites.Count == 0 ? "none (give a folder of them)" : string.Join(", ", model.Sites.Select(sae => sae.Site)))}";

    private static RecipeError OutOfRange(int feature, string path, SaeInfo sae) =>
        new($"{path}.feature", $"is {feature}, but {sae.Site} has the features 0 to {sae.Features - 1}");
}
