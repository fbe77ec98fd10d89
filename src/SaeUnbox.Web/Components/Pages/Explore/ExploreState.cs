using System.Numerics;

namespace SaeUnbox.Web.Components.Pages.Explore;

/// <summary>What the Explore page shows.</summary>
/// <param name="Recipe">The picture's recipe without the intervention.</param>
/// <param name="Site">The site whose features are listed.</param>
/// <param name="Feature">The feature whose map is drawn.</param>
/// <param name="Intervention">"ablate" or "reconstruct", applied to the site; null for none.</param>
internal sealed record ExploreState(Recipe Recipe, Site? Site = null, int? Feature = null, string? Intervention = null)
{
    public const string Ablate = "ablate", Reconstruct = "reconstruct";

    public Recipe RecipeWithIntervention => (Site, Intervention) switch
    {
        ({ } site, Ablate) => Recipe with { Interventions = [new SiteIntervention.Ablate(site)] },
        ({ } site, Reconstruct) => Recipe with { Interventions = [new SiteIntervention.Reconstruct(site)] },
        _ => Recipe,
    };

    /// <summary>Reads query parameters. The example replaces missing ones, and those that the model does not support.</summary>
    public static ExploreState Read(IReadOnlyDictionary<string, string> parameters, ModelInfo model, Recipe example)
    {
        var recipe = parameters.TryGetValue("prompt", out var prompt)
            ? model.NewRecipe(prompt)
            : model.NewRecipe(example.Prompt) with { Seed = example.Seed };
        var hasSite = Site.TryParse(parameters.GetValueOrDefault("site", ""), out var site) && model.Find(site) is not null;
        return new(
            recipe with
            {
                Seed = Whole<long>("seed") ?? recipe.Seed,
                Steps = Whole<int>("steps") ?? recipe.Steps,
                Guidance = PlainNumber.TryReal(parameters.GetValueOrDefault("guidance"), out var guidance) && guidance >= 0
                    ? guidance : recipe.Guidance,
            },
            hasSite ? site : model.Sites.FirstOrDefault()?.Site, Whole<int>("feature"),
            parameters.GetValueOrDefault("intervention") is Ablate or Reconstruct ? parameters["intervention"] : null);

        T? Whole<T>(string name) where T : struct, IBinaryInteger<T>, IMinMaxValue<T> =>
            PlainNumber.TryWhole(parameters.GetValueOrDefault(name), out T number) && number >= T.Zero ? number : null;
    }

    /// <summary>Returns the query parameters; null for those that equal the model's defaults.</summary>
    public IReadOnlyDictionary<string, object?> ToParameters(ModelInfo model) => new Dictionary<string, object?>
    {
        ["prompt"] = Recipe.Prompt,
        ["seed"] = Recipe.Seed,
        ["steps"] = Recipe.Steps == model.Steps ? null : Recipe.Steps,
        ["guidance"] = Recipe.Guidance.Equals(model.Guidance) ? null : Recipe.Guidance,
        ["site"] = Site?.Code,
        ["feature"] = Feature,
        ["intervention"] = Intervention,
    };
}
