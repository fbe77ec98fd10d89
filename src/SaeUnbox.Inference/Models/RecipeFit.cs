using SaeUnbox.Contracts;

namespace SaeUnbox.Inference;

/// <summary>Whether a recipe can be run by a model: what a recipe alone cannot tell.</summary>
public static class RecipeFit
{
    /// <exception cref="RecipeException">Every field that does not fit is named.</exception>
    public static void Require(Recipe recipe, LoadedModel model)
    {
        recipe.EnsureValid();
        var errors = Check(recipe, model).ToList();
        if (errors.Count > 0) throw new RecipeException(errors);
    }

    private static IEnumerable<RecipeError> Check(Recipe recipe, LoadedModel model)
    {
        if (recipe.Dtype is { } dtype && dtype != model.Dtype)
            yield return new("dtype", $"is {Names.Of<Dtype>(dtype)}, but the model is loaded in {Names.Of<Dtype>(model.Dtype)}");
        if (recipe.Vae is { } vae && vae != model.Vae)
            yield return new("vae", $"is {Names.Of<Vae>(vae)}, but the model is loaded with {Names.Of<Vae>(model.Vae)}");
        if (!model.Info.HasSaes(recipe.Saes))
            yield return new("saes", $"is \"{recipe.Saes}\", but the model is loaded with {(model.Info.Saes is { } saes ? $"the autoencoders \"{saes}\"" : "no autoencoders")}");
        for (var i = 0; i < recipe.Edits.Count; i++)
            foreach (var error in Check(recipe.Edits[i], $"edits[{i}]", recipe, model)) yield return error;
        for (var i = 0; i < recipe.Interventions.Count; i++)
            foreach (var error in Check(recipe.Interventions[i], $"interventions[{i}]", model)) yield return error;
    }

    private static IEnumerable<RecipeError> Check(FeatureEdit edit, string path, Recipe recipe, LoadedModel model)
    {
        if (model.Info.Find(edit.Site) is not { } sae)
        {
            yield return new($"{path}.site", NoAutoencoder(edit.Site, model));
            yield break;
        }
        if (edit.Feature >= sae.Features) yield return new($"{path}.feature", OutOfRange(edit.Feature, sae));
        if (edit.Mode == EditMode.Add && model.Saes[edit.Site].Scale is null)
            yield return new($"{path}.mode", $"add needs the feature's mean activation, and the autoencoder of {edit.Site} has no mean.pt; use scale");
        var (rows, columns) = sae.Grid(recipe.Width, recipe.Height);
        if (edit.Mask is { } mask && (mask.Rows != rows || mask.Columns != columns))
            yield return new($"{path}.mask", $"is {mask.Rows} x {mask.Columns} cells, but {edit.Site} has {rows} x {columns} at {recipe.Width} x {recipe.Height} pixels");
    }

    private static IEnumerable<RecipeError> Check(SiteIntervention intervention, string path, LoadedModel model)
    {
        if (intervention is SiteIntervention.Ablate)
        {
            if (model.Pipeline.UNet.Sites.All(site => site.Code != intervention.Site.Code))
                yield return new($"{path}.site", $"the model has no site {intervention.Site}; it has {string.Join(", ", model.Pipeline.UNet.Sites.Select(site => site.Code))}");
        }
        else if (model.Info.Find(intervention.Site) is not { } sae)
        {
            yield return new($"{path}.site", NoAutoencoder(intervention.Site, model));
        }
        else if (intervention is SiteIntervention.Icon icon)
        {
            if (icon.Feature >= sae.Features) yield return new($"{path}.feature", OutOfRange(icon.Feature, sae));
            if (model.Saes[icon.Site].Scale is null)
                yield return new($"{path}.feature", $"an icon needs the feature's mean activation, and the autoencoder of {icon.Site} has no mean.pt");
        }
    }

    private static string NoAutoencoder(HookSite site, LoadedModel model) =>
        $"there is no sparse autoencoder for {site}; there are {(model.Saes.Count == 0 ? "none (give a folder of them)" : string.Join(", ", model.Saes.Keys))}";

    private static string OutOfRange(int feature, SaeInfo sae) => $"is {feature}, but {sae.Site} has the features 0 to {sae.Features - 1}";
}
