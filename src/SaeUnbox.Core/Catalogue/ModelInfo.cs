namespace SaeUnbox.Core;

/// <summary>A model that can be asked for, and how it is best run.</summary>
/// <param name="Name">The name recipes use.</param>
/// <param name="Title">The name people read.</param>
/// <param name="Steps">Denoising steps it is made for.</param>
/// <param name="Guidance">Guidance scale it is made for.</param>
/// <param name="Width">Width in pixels it is made for.</param>
/// <param name="Height">Height in pixels it is made for.</param>
/// <param name="Sites">Its autoencoders, in the order of the walk.</param>
public sealed record ModelInfo(
    string Name, string Title, int Steps, double Guidance, int Width, int Height, IReadOnlyList<SaeInfo> Sites)
{
    /// <summary>What a recipe may call whatever set of autoencoders is loaded.</summary>
    public const string DefaultSaes = "default";

    /// <summary>Name of the set its autoencoders come from; null where it has none.</summary>
    public string? Saes { get; init; }

    /// <summary>Whether features numbered in the set of this name (see <see cref="Recipe.Saes"/>) are this model's.</summary>
    public bool HasSaes(string? name) => name is null or DefaultSaes || name == Saes;

    /// <summary>A recipe with the model's own settings.</summary>
    public Recipe NewRecipe(string prompt = "") =>
        new() { Model = Name, Prompt = prompt, Steps = Steps, Guidance = Guidance, Width = Width, Height = Height };

    public SaeInfo? Find(HookSite site) => Sites.FirstOrDefault(info => info.Site == site);
}

/// <summary>The autoencoder of a site.</summary>
/// <param name="Site">Where it reads and writes.</param>
/// <param name="Features">n, the size of its dictionary.</param>
/// <param name="K">k, how many features are active per cell.</param>
/// <param name="Channels">d, the width of the vectors it takes.</param>
/// <param name="CellSize">Pixels on the side of one cell of the site's grid.</param>
public sealed record SaeInfo(HookSite Site, int Features, int K, int Channels, int CellSize)
{
    /// <summary>The grid of a picture; a cell that the picture fills only in part counts.</summary>
    public (int Rows, int Columns) Grid(int width, int height) =>
        ((height + CellSize - 1) / CellSize, (width + CellSize - 1) / CellSize);
}

/// <summary>The models that can be asked for.</summary>
public interface IModelCatalogue
{
    /// <summary>Every model, the default first; empty while none is ready.</summary>
    IReadOnlyList<ModelInfo> Models { get; }

    /// <summary>The model of this name; null where there is none.</summary>
    ModelInfo? Find(string name) => Models.FirstOrDefault(model => model.Name == name);

    /// <summary>What is known of a model's features; null where there is no such model.</summary>
    IFeatureAtlas? AtlasOf(string model);
}

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
