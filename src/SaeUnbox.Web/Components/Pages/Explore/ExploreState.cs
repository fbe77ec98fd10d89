using System.Globalization;

namespace SaeUnbox.Web.Components.Pages.Explore;

/// <summary>What Explore shows.</summary>
/// <param name="Recipe">The picture, before the site is intervened on.</param>
/// <param name="Site">The site whose features are listed.</param>
/// <param name="Feature">The feature whose map is drawn.</param>
/// <param name="Intervention">What is done to the site, "ablate" or "reconstruct"; null for nothing.</param>
internal sealed record ExploreState(Recipe Recipe, HookSite? Site = null, int? Feature = null, string? Intervention = null)
{
    public const string Ablate = "ablate", Reconstruct = "reconstruct";

    /// <summary>The recipe with what is done to the site.</summary>
    public Recipe Asked => (Site, Intervention) switch
    {
        ({ } site, Ablate) => Recipe with { Interventions = [new SiteIntervention.Ablate(site)] },
        ({ } site, Reconstruct) => Recipe with { Interventions = [new SiteIntervention.Reconstruct(site)] },
        _ => Recipe,
    };

    /// <summary>What an address tells; what it lacks, or what this model has not, is left as it is in the example.</summary>
    public static ExploreState Read(IReadOnlyDictionary<string, string> parts, ModelInfo model, Recipe example)
    {
        var recipe = parts.TryGetValue("prompt", out var prompt) ? model.NewRecipe(prompt) : model.NewRecipe(example.Prompt) with { Seed = example.Seed };
        var site = HookSite.TryParse(parts.GetValueOrDefault("site", ""), out var named) && model.Find(named) is not null ? named : model.Sites.FirstOrDefault()?.Site;
        return new(recipe with
        {
            Seed = long.TryParse(parts.GetValueOrDefault("seed"), NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? seed : recipe.Seed,
            Steps = Number("steps") ?? recipe.Steps,
            Guidance = double.TryParse(parts.GetValueOrDefault("guidance"), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var guidance) ? guidance : recipe.Guidance,
        }, site, Number("feature"), parts.GetValueOrDefault("intervention") is Ablate or Reconstruct ? parts["intervention"] : null);

        int? Number(string name) => int.TryParse(parts.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
    }

    /// <summary>The address's parts; null for what need not stand in it.</summary>
    public IReadOnlyDictionary<string, object?> Parts(ModelInfo model) => new Dictionary<string, object?>
    {
        ["prompt"] = Recipe.Prompt, ["seed"] = Recipe.Seed, ["steps"] = Recipe.Steps == model.Steps ? null : Recipe.Steps,
        ["guidance"] = Recipe.Guidance.Equals(model.Guidance) ? null : Recipe.Guidance,
        ["site"] = Site?.Code, ["feature"] = Feature, ["intervention"] = Intervention,
    };
}
