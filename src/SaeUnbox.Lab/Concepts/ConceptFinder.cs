namespace SaeUnbox.Lab;

/// <summary>
/// Finds the features that stand for a concept: those that have a larger share of all activation in pictures with it than in pictures
/// without it, over all cells and steps (<see cref="ConceptTally"/>).
/// </summary>
public static class ConceptFinder
{
    /// <param name="model">A model with autoencoders.</param>
    /// <param name="question">The pictures to compare.</param>
    /// <param name="progress">Receives the number of pictures done.</param>
    /// <exception cref="RecipeException">A recipe does not fit the model.</exception>
    public static ConceptFindings Run(LoadedModel model, ConceptQuestion question, Action<int>? progress = null,
        CancellationToken cancellation = default)
    {
        var sites = question.Sites.Count > 0 ? question.Sites : [.. model.Saes.Keys];
        var whole = sites.ToDictionary(site => site, site => new ConceptTally(model.DictionaryOf(site).Features));
        var steps = new SortedDictionary<int, Dictionary<Site, ConceptTally>>();
        using var runner = new RecipeRunner(model, prefixes: 1);
        foreach (var (done, (recipe, hasConcept, region)) in Pictures(question).Index())
        {
            var maps = runner.Run(recipe, new RunRequest { Read = sites, Picture = false }, cancellation).Maps;
            foreach (var map in maps.All)
            {
                if (!steps.TryGetValue(map.Step, out var step))
                    steps[map.Step] = step = sites.ToDictionary(site => site, site => new ConceptTally(model.DictionaryOf(site).Features));
                foreach (var tally in (ConceptTally[])[whole[map.Site], step[map.Site]])
                    if (region is not null)
                        tally.Add(map, region);
                    else
                        tally.Add(map, hasConcept);
            }
            progress?.Invoke(done + 1);
        }
        ConceptSite[] found = [.. sites.Select(site => new ConceptSite(site, whole[site].Best(question.Features)))
            .Where(site => site.Features.Count > 0)];
        return new(found,
        [
            .. from site in found
               from step in steps
               select new ConceptStep(site.Site, step.Key, site.Features.Sum(one => step.Value[site.Site].Score(one.Feature))),
        ])
        {
            Auc = found.ToDictionary(site => site.Site, site => whole[site.Site].Auc([.. site.Features.Select(one => one.Feature)])),
        };
    }

    private static IEnumerable<(Recipe Recipe, bool HasConcept, BrushMask? Region)> Pictures(ConceptQuestion question) =>
        question.With.Select((recipe, i) => (recipe, true, question.Regions?[i]))
            .Concat(question.Against.Select(recipe => (recipe, false, (BrushMask?)null)));
}

/// <summary>The pictures to compare.</summary>
public sealed record ConceptQuestion
{
    /// <summary>Pictures with the concept.</summary>
    public required IReadOnlyList<Recipe> With { get; init; }

    /// <summary>Pictures without it; may be empty if there is a region.</summary>
    public required IReadOnlyList<Recipe> Against { get; init; }

    /// <summary>For each picture of <see cref="With"/> where the concept is in it; null for everywhere.</summary>
    public IReadOnlyList<BrushMask>? Regions { get; init; }

    /// <summary>Empty for all sites of the U-Net with an autoencoder.</summary>
    public IReadOnlyList<Site> Sites { get; init; } = [];

    /// <summary>Features to keep for each site.</summary>
    public int Features { get; init; } = 5;
}

/// <param name="Sites">The sites where some feature has a positive score, and their best features.</param>
/// <param name="Steps">What these features score together at each step.</param>
public sealed record ConceptFindings(IReadOnlyList<ConceptSite> Sites, IReadOnlyList<ConceptStep> Steps)
{
    /// <summary>How well these features together find the cells with the concept, see <see cref="CellDetection.Auc"/>; null without
    /// regions.</summary>
    public required IReadOnlyDictionary<Site, double?> Auc { get; init; }
}

/// <param name="Score">The sum of the features' scores, see <see cref="ConceptFeature"/>.</param>
public sealed record ConceptStep(Site Site, int Step, double Score);
