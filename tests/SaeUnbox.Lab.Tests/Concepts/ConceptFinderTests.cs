using SaeUnbox.Testing;

namespace SaeUnbox.Lab.Tests.Concepts;

public sealed class ConceptFinderTests(GoldenModel golden) : IClassFixture<GoldenModel>
{
    private const string Run = "turbo4";

    private LoadedModel Model => golden.For(Run);

    private Recipe[] Pictures(string prompt) => [.. Enumerable.Range(1, 2).Select(seed =>
        golden.Recipe(Run) with { Prompt = prompt, Seed = seed, Steps = 2, Width = 64, Height = 64 })];

    [Fact]
    public void Run_TwoPrompts_RanksByTheDifferenceOfShares()
    {
        var question = new ConceptQuestion { With = Pictures("a dog"), Against = Pictures("a boat at sea"), Features = 3 };

        var found = ConceptFinder.Run(Model, question);

        var (with, against) = (Maps(question.With), Maps(question.Against));
        Assert.NotEmpty(found.Sites);
        foreach (var site in found.Sites)
        {
            double Score(int feature, int? step = null) => Share(with, site.Site, feature, step) - Share(against, site.Site, feature, step);
            var expected = Enumerable.Range(0, Model.Saes[site.Site].Features).Select(feature => (feature, Score: Score(feature)))
                .OrderByDescending(one => one.Score).ThenBy(one => one.feature).Take(3).ToArray();
            Assert.Equal(expected.Select(one => one.feature), site.Features.Select(one => one.Feature));
            Assert.Equal(expected[0].Score, site.Features[0].Score, 1e-6);
            var steps = found.Steps.Where(step => step.Site == site.Site).ToArray();
            Assert.Equal([0, 1], steps.Select(step => step.Step));
            Assert.All(steps, step => Assert.Equal(site.Features.Sum(one => Score(one.Feature, step.Step)), step.Score, 1e-6));
        }
    }

    [Fact]
    public void Run_ARegionAlone_FindsWhatIsInIt()
    {
        var site = Model.Saes.Keys.First();
        var left = BrushMask.FromCells(1, 2, [1, 0]);
        var question = new ConceptQuestion { With = Pictures("a dog"), Against = [], Regions = [left, left], Sites = [site] };

        var found = ConceptFinder.Run(Model, question);

        var best = Assert.Single(found.Sites).Features;
        Assert.Equal(site, found.Sites[0].Site);
        Assert.All(best, one => Assert.InRange(one.Auc!.Value, 0, 1));
        double[] Means(int feature) => [.. new[] { 0, 1 }.Select(half => Maps(question.With).Where(map => map.Site == site)
            .Sum(map => map
                .Map(feature)
                .Index()
                .Where(cell => cell.Index % map.Columns / (map.Columns / 2) == half)
                .Sum(cell => cell.Item)))];
        Assert.True(Means(best[0].Feature)[0] > Means(best[0].Feature)[1]);
    }

    [Fact]
    public void SetConcept_InAnAtlas_ReadsBackAndReplacesTheNamesake()
    {
        using var folder = new TemporaryFolder();
        var path = folder.At(AtlasReader.FileName);
        AtlasWriter.Write(path, SmallAtlas.Contents);
        Assert.Empty(AtlasReader.Open(folder.Path).Concepts);
        Concept Of(string name, int feature) =>
            new(name, "by \"hand\"", [new(SmallAtlas.First, [new(feature, 0.25, null), new(3, 0.125, 0.75)])]);

        foreach (var concept in (Concept[])[Of("snow", 0), Of("house", 1), Of("snow", 2)])
            AtlasWriter.SetConcepts(path, concept);

        var read = AtlasReader.Open(folder.Path).Concepts;
        Assert.Equal(["house", "snow"], read.Select(concept => concept.Name));
        Assert.Equal("by \"hand\"", read[1].Source);
        Assert.Equal(Of("snow", 2).Sites[0].Features, Assert.Single(read[1].Sites).Features);
        Assert.Equal(SmallAtlas.First, read[1].Sites[0].Site);
    }

    private SiteActivations[] Maps(IReadOnlyList<Recipe> recipes)
    {
        using var runner = new RecipeRunner(Model);
        return [.. recipes.SelectMany(recipe =>
            runner.Run(recipe, new RunRequest { Read = [.. Model.Saes.Keys], Picture = false }).Maps.All)];
    }

    private static double Share(SiteActivations[] maps, Site site, int feature, int? step)
    {
        var those = maps.Where(map => map.Site == site && (step is null || map.Step == step)).ToArray();
        return those.Sum(map => map.Map(feature).Sum(value => (double)value))
            / those.Sum(map => map.Values.ToArray().Sum(value => (double)value));
    }
}
