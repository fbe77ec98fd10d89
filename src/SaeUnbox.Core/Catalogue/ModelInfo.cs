namespace SaeUnbox.Core;

/// <summary>An available model and its recommended settings.</summary>
/// <param name="Name">The name in recipes.</param>
/// <param name="Title">The name for display.</param>
/// <param name="Steps">Denoising steps.</param>
/// <param name="Guidance">Scale of classifier-free guidance.</param>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
/// <param name="Sites">The sites with autoencoders, in the order of the U-Net.</param>
public sealed record ModelInfo(
    string Name, string Title, int Steps, double Guidance, int Width, int Height, IReadOnlyList<SaeInfo> Sites)
{
    /// <summary>The name in a recipe that stands for whichever set of autoencoders is loaded.</summary>
    public const string DefaultSaes = "default";

    /// <summary>Name of the loaded set of autoencoders; null for none.</summary>
    public string? Saes { get; init; }

    /// <summary>The LoRAs that are merged into it.</summary>
    public IReadOnlyList<RecipeLora> Loras { get; init; } = [];

    /// <summary>The number format it runs in.</summary>
    public Dtype Dtype { get; init; }

    /// <summary>Side of the pictures, in pixels, that an earlier version made from the same latents; null if there was none.</summary>
    public int? FormerSide { get; init; }

    /// <summary>Whether a recipe's <see cref="Recipe.Saes"/> names this model's set of autoencoders.</summary>
    public bool HasSaes(string? name) => name is null or DefaultSaes || name == Saes;

    /// <summary>Creates a recipe with the model's recommended settings.</summary>
    public Recipe NewRecipe(string prompt = "") => WithLoras(
        new() { Model = Name, Prompt = prompt, Steps = Steps, Guidance = Guidance, Width = Width, Height = Height });

    /// <summary>The recipe with this model's LoRAs instead of its own.</summary>
    public Recipe WithLoras(Recipe recipe) => recipe with { Loras = Loras.ToValueList() };

    /// <summary>Whether the model can make a recipe's picture as far as LoRAs go: it names these, or none.</summary>
    public bool HasLoras(Recipe recipe) => recipe.Loras.Count == 0 || RecipeLora.AreSame(recipe.Loras, Loras);

    /// <summary>
    /// How much work a recipe is: its pixels, steps and passes (two under guidance) as a multiple of those of <see cref="NewRecipe"/>. What
    /// resuming saves does not count.
    /// </summary>
    public double CostOf(Recipe recipe) =>
        Work(recipe.Width, recipe.Height, recipe.Steps, recipe.Guidance) / Work(Width, Height, Steps, Guidance);

    private static double Work(int width, int height, int steps, double guidance) =>
        (double)width * height * steps * (guidance > 1 ? 2 : 1);

    /// <summary>The layers of the text encoder with autoencoders.</summary>
    public IReadOnlyList<SaeInfo> TextSites { get; init; } = [];

    public SaeInfo? Find(Site site) => (site.IsText ? TextSites : Sites).FirstOrDefault(info => info.Site == site);

    /// <summary>The site's nickname in this model; its code if it has none.</summary>
    public string NameOf(Site site) => Find(site)?.Nickname ?? site.Code;
}

/// <summary>The autoencoder of a site.</summary>
/// <param name="Features">Size of the dictionary (n).</param>
/// <param name="K">Active features per cell (k).</param>
/// <param name="Channels">Width of the site's vectors (d).</param>
/// <param name="CellSize">Side of a cell of the site's grid in pixels; 0 for a layer of the text encoder.</param>
public sealed record SaeInfo(Site Site, int Features, int K, int Channels, int CellSize)
{
    /// <summary>What the site is known for in its model, in a word; null if nothing is known.</summary>
    public string? Nickname { get; init; }

    /// <summary>Tokens of a prompt, for a layer of the text encoder; its grid is one row of them. Null for sites of the U-Net.</summary>
    public int? Tokens { get; init; }

    /// <summary>Size of the grid for a picture of this size. Partly covered cells count.</summary>
    public (int Rows, int Columns) Grid(int width, int height) => Tokens is { } tokens
        ? (1, tokens)
        : ((height + CellSize - 1) / CellSize, (width + CellSize - 1) / CellSize);
}

/// <summary>The available models.</summary>
public interface IModelCatalogue
{
    /// <summary>All models, the default first; empty while none is ready.</summary>
    IReadOnlyList<ModelInfo> Models { get; }

    ModelInfo? Find(string name) => Models.FirstOrDefault(model => model.Name == name);

    /// <summary>The atlas of a model's features; null if there is no such model.</summary>
    IFeatureAtlas? AtlasOf(string model);
}

/// <summary>Checks whether a recipe fits a model, without loading the model.</summary>
public static class ModelFit
{
    /// <summary>Lists all fields that do not fit.</summary>
    public static IReadOnlyList<RecipeError> Check(Recipe recipe, ModelInfo model)
    {
        var errors = new List<RecipeError>();
        for (var i = 0; i < recipe.Edits.Count; i++)
            errors.AddRange(Check(recipe.Edits[i], $"edits[{i}]", recipe, model));
        for (var i = 0; i < recipe.Interventions.Count; i++)
            errors.AddRange(Check(recipe.Interventions[i], $"interventions[{i}]", model));
        return errors;
    }

    /// <summary>Finds a recipe's model.</summary>
    /// <param name="recipe">A valid recipe.</param>
    /// <param name="catalogue">The available models.</param>
    /// <param name="last">Used if the catalogue does not list the model at the moment, as while its workers reconnect.</param>
    /// <exception cref="RecipeException">There is no such model, or the recipe does not fit it.</exception>
    public static ModelInfo Require(Recipe recipe, IModelCatalogue catalogue, ModelInfo? last = null)
    {
        var model = catalogue.Find(recipe.Model) ?? (last?.Name == recipe.Model ? last : null)
            ?? throw NoModel(recipe.Model, catalogue.Models.Select(known => known.Name));
        return Check(recipe, model) is { Count: > 0 } errors ? throw new RecipeException(errors) : model;
    }

    /// <summary>Creates the error for an unknown model.</summary>
    /// <param name="known">The names of the available models.</param>
    public static RecipeException NoModel(string model, IEnumerable<string> known) =>
        new("model", $"there is no model {UntrustedText.Quote(model)}; available: {string.Join(", ", known)}");

    /// <summary>
    /// Keeps the parts of a recipe that fit the model, and reports what was dropped. The model's LoRAs replace others, and its size that of
    /// an earlier version.
    /// </summary>
    public static RestoredRecipe Restore(Recipe recipe, ModelInfo model)
    {
        if (recipe.Width == model.FormerSide && recipe.Height == model.FormerSide)
            recipe = recipe with { Width = model.Width, Height = model.Height };
        var errors = new List<RecipeError>();
        bool Fits(IReadOnlyList<RecipeError> found)
        {
            errors.AddRange(found);
            return found.Count == 0;
        }

        var edits = recipe.Edits.Where((edit, i) => Fits([.. Check(edit, $"edits[{i}]", recipe, model)])).ToValueList();
        var interventions = recipe.Interventions.Where((one, i) => Fits([.. Check(one, $"interventions[{i}]", model)])).ToValueList();
        if (!RecipeLora.AreSame(recipe.Loras, model.Loras))
            errors.Add(new("loras", $"it was made with {RecipeLora.Describe(recipe.Loras)}, and this model has "
                + RecipeLora.Describe(model.Loras)));
        return new(model.WithLoras(recipe) with { Edits = edits, Interventions = interventions }, errors);
    }

    private static IEnumerable<RecipeError> Check(FeatureEdit edit, string path, Recipe recipe, ModelInfo model)
    {
        if (model.Find(edit.Site) is not { } sae)
        {
            yield return NoAutoencoder(edit.Site, path, model);
            yield break;
        }

        if (edit.Feature >= sae.Features)
            yield return OutOfRange(edit.Feature, $"{path}.feature", sae);
        foreach (var (i, feature) in edit.Also.Index().Where(one => one.Item >= sae.Features))
            yield return OutOfRange(feature, $"{path}.also[{i}]", sae);
        if (MaskProblem(edit, recipe, model) is { } problem)
            yield return new($"{path}.mask", problem);
    }

    /// <summary>Says how an edit's mask does not fit its site's grid; null if it fits.</summary>
    internal static string? MaskProblem(FeatureEdit edit, Recipe recipe, ModelInfo model) =>
        edit.Mask is { } mask
            && model.Find(edit.Site)?.Grid(recipe.Width, recipe.Height) is var (rows, columns)
            && (mask.Rows != rows || mask.Columns != columns)
            ? $"is {mask.Rows} x {mask.Columns} cells, but {edit.Site} has {rows} x {columns} at {recipe.Width} x {recipe.Height} pixels"
            : null;

    // A site can be ablated without an autoencoder, and only the loaded model knows all its sites.
    private static IEnumerable<RecipeError> Check(SiteIntervention intervention, string path, ModelInfo model)
    {
        if (intervention is SiteIntervention.Ablate)
            yield break;
        if (model.Find(intervention.Site) is not { } sae)
            yield return NoAutoencoder(intervention.Site, path, model);
        else if (intervention is SiteIntervention.Icon icon && icon.Feature >= sae.Features)
            yield return OutOfRange(icon.Feature, $"{path}.feature", sae);
    }

    private static RecipeError NoAutoencoder(Site site, string path, ModelInfo model) =>
        new($"{path}.site", NoAutoencoder(site, model));

    internal static string NoAutoencoder(Site site, ModelInfo model) =>
        $"there is no sparse autoencoder for {site}; available: " + (model.Sites.Count == 0
            ? "none (set the folder of the autoencoders)"
            : string.Join(", ", model.Sites.Select(sae => sae.Site)));

    private static RecipeError OutOfRange(int feature, string field, SaeInfo sae) =>
        new(field, $"is {feature}, but {sae.Site} has the features 0 to {sae.Features - 1}");
}
