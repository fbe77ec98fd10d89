using System.Globalization;
using System.Numerics;

namespace SaeUnbox.Web.Components.Pages.Explore;

/// <summary>What the Explore page shows.</summary>
/// <param name="Recipe">The picture's recipe without the intervention and the change.</param>
/// <param name="Site">The site whose features are listed.</param>
/// <param name="Feature">The feature whose map is drawn.</param>
/// <param name="Intervention">"ablate" or "reconstruct", applied to the site; null for none.</param>
/// <param name="Change">The feature that is made weaker or stronger; null for none.</param>
internal sealed record ExploreState(
    Recipe Recipe, Site? Site = null, int? Feature = null, string? Intervention = null, FeatureChange? Change = null)
{
    public const string Ablate = "ablate", Reconstruct = "reconstruct";

    /// <summary>Whether the picture differs from that of <see cref="Recipe"/>.</summary>
    public bool IsChanged => Change is not null || (Site is not null && Intervention is not null);

    public Recipe ChangedRecipe
    {
        get
        {
            var edited = Change is { } change ? Recipe with { Edits = [.. Recipe.Edits, change.Edit] } : Recipe;
            return (Site, Intervention) switch
            {
                ({ } site, Ablate) => edited with { Interventions = [new SiteIntervention.Ablate(site)] },
                ({ } site, Reconstruct) => edited with { Interventions = [new SiteIntervention.Reconstruct(site)] },
                _ => edited,
            };
        }
    }

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
            parameters.GetValueOrDefault("intervention") is Ablate or Reconstruct ? parameters["intervention"] : null,
            FeatureChange.Parse(parameters.GetValueOrDefault("change"), model));

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
        ["change"] = Change?.ToString(),
    };
}

/// <summary>A feature that is made weaker or stronger wherever the picture has it.</summary>
/// <param name="Factor">What its activation is multiplied by: 0 removes it, 2 doubles it.</param>
internal sealed record FeatureChange(Site Site, int Feature, double Factor)
{
    public const double MaxFactor = 5;

    public FeatureEdit Edit => new(Site, Feature, Factor - 1) { Mode = EditMode.Scale };

    /// <summary>Reads the form SITE:FEATURE:FACTOR; null if it is another, or the model lacks the feature.</summary>
    public static FeatureChange? Parse(string? text, ModelInfo model) =>
        text?.Split(':') is [var code, var number, var times] && Site.TryParse(code, out var site)
            && PlainNumber.TryWhole(number, out int feature) && feature >= 0 && feature < model.Find(site)?.Features
            && PlainNumber.TryReal(times, out var factor) && factor is >= 0 and <= MaxFactor
            ? new(site, feature, factor) : null;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Site}:{Feature}:{Factor:0.##}");
}
