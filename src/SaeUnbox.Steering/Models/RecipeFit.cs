namespace SaeUnbox.Steering;

/// <summary>Checks whether a loaded model can run a recipe.</summary>
public static class RecipeFit
{
    private const string MakeMeans = "saeunbox statistics --write-scale";

    /// <summary>
    /// Checks all of a recipe: its values, what the catalogue knows of the model (<see cref="ModelFit"/>), and what only the loaded model
    /// knows.
    /// </summary>
    /// <exception cref="RecipeException">The message names every field that does not fit.</exception>
    public static CheckedRecipe Require(Recipe recipe, LoadedModel model)
    {
        var valid = recipe.Check();
        List<RecipeError> errors = [.. Check(recipe, model), .. ModelFit.Check(recipe, model.Info)];
        return errors.Count == 0 ? valid : throw new RecipeException(errors);
    }

    /// <summary>Checks what only the loaded model knows.</summary>
    /// <exception cref="RecipeException">The message names every field that does not fit.</exception>
    public static void Require(CheckedRecipe recipe, LoadedModel model)
    {
        List<RecipeError>? errors = null;
        foreach (var error in Check(recipe.Recipe, model))
            (errors ??= []).Add(error);
        if (errors is not null)
            throw new RecipeException(errors);
    }

    private static IEnumerable<RecipeError> Check(Recipe recipe, LoadedModel model)
    {
        if (recipe.Dtype is { } dtype && dtype != model.Dtype)
            yield return new("dtype", $"is {Names.Of<Dtype>(dtype)}, but the model is loaded in {Names.Of<Dtype>(model.Dtype)}");
        if (recipe.Vae is { } vae && vae != model.Vae)
            yield return new("vae", $"is {Names.Of<Vae>(vae)}, but the model is loaded with {Names.Of<Vae>(model.Vae)}");
        if (!model.Info.HasSaes(recipe.Saes))
            yield return new("saes",
                $"is \"{recipe.Saes}\", but the model is loaded with "
                + $"{(model.Info.Saes is { } saes ? $"the autoencoders \"{saes}\"" : "no autoencoders")}");
        if (!model.Info.HasLoras(recipe))
            yield return new("loras",
                $"it was made with {RecipeLora.Describe(recipe.Loras)}, but the model is loaded with "
                + $"{RecipeLora.Describe(model.Info.Loras)}");
        for (var i = 0; i < recipe.Edits.Count; i++)
            if (recipe.Edits[i] is { Mode.NeedsMean: true } edit && HasNoMeans(edit.Site, model))
                yield return new($"edits[{i}].mode",
                    $"{edit.Mode} needs the feature's mean activation, and the autoencoder of {edit.Site} has no mean.pt: make it with "
                    + $"{MakeMeans}, or use {string.Join(" or ", EditMode.All.Where(mode => !mode.NeedsMean))}");
        for (var i = 0; i < recipe.Interventions.Count; i++)
            if (recipe.Interventions[i] is SiteIntervention.Ablate ablate && model.Model.OrderOf(ablate.Site) < 0)
                yield return new($"interventions[{i}].site",
                    $"the model has no site {ablate.Site}; it has {string.Join(", ", model.Model.Sites.Select(shape => shape.Site))}");
            else if (recipe.Interventions[i] is SiteIntervention.Icon icon && HasNoMeans(icon.Site, model))
                yield return new($"interventions[{i}].feature",
                    $"an icon needs the feature's mean activation, and the autoencoder of {icon.Site} has no mean.pt: make "
                    + $"it with {MakeMeans}");
    }

    private static bool HasNoMeans(Site site, LoadedModel model) =>
        model.Info.Find(site) is not null && model.DictionaryOf(site).Scale is null;
}
