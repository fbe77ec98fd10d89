namespace SaeUnbox.Lab.Tests.Evaluation;

public sealed class StepStudyTests(GoldenModel golden) : IClassFixture<GoldenModel>
{
    private const string Run = "turbo4";

    private LoadedModel Model => golden.For(Run);

    private Recipe Small => golden.Recipe(Run) with { Width = 64, Height = 64, Steps = 3 };

    [Fact]
    public void Activations_OfTwoFeatures_AreTheirSumAtEachStep()
    {
        using var study = new StepStudy(Model, Small);
        var site = Model.Saes.Keys.Last();
        var maps = study.Plain().Maps;
        int[] features = [.. maps.Find(site, 1)!.Top(2).Select(active => active.Feature)];

        var curve = study.Activations(site, features);

        Assert.Equal([0, 1, 2], curve.Select(at => at.Step));
        foreach (var at in curve)
        {
            var map = maps.Find(site, at.Step)!;
            var own = features.Sum(feature => map.Map(feature).Sum(value => (double)value));
            Assert.Equal(own / (map.Rows * map.Columns), at.Mean, 1e-6);
            Assert.Equal(own / map.Values.ToArray().Sum(value => (double)value), at.Share, 1e-6);
            Assert.Equal(map.ExplainedVariance, at.ExplainedVariance);
        }
    }

    [Fact]
    public void Windows_OfAnEdit_EqualWholeRuns()
    {
        using var study = new StepStudy(Model, Small);
        var site = Model.Saes.Keys.First();
        var feature = study.Plain().Maps.Find(site)!.Top(1)[0].Feature;
        var edit = new FeatureEdit(site, feature, 20) { FirstStep = 2 };
        var windows = study.Windows([edit], StepStudy.Bounds(3, 8)).ToArray();

        Assert.Equal([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)], windows.Select(window => (window.First, window.Last)));
        foreach (var window in windows)
        {
            using var fresh = new RecipeRunner(Model);
            var request = new RunRequest { Read = [.. Model.Saes.Keys] };
            var alone = fresh.Run(Small with { Edits = [edit with { FirstStep = window.First, LastStep = window.Last }] }, request);
            Assert.Equal(PictureChange.Between(study.Plain().Picture!, alone.Picture!).Mean, window.Change, 1e-9);
            Assert.True(window.Change > 0);
        }
    }

    [Fact]
    public void Windows_OfAnEditThatAddsNothing_HaveNoEffect()
    {
        using var study = new StepStudy(Model, Small);
        var site = Model.Saes.Keys.First();
        var feature = study.Plain().Maps.Find(site)!.Top(1)[0].Feature;

        // The picture is the plain one, so the model sees what it saw in the plain run's last step.
        Assert.All(study.Windows([new FeatureEdit(site, feature, 0)], StepStudy.Bounds(3, 8)), window =>
        {
            Assert.Equal(0, window.Effect);
            Assert.Equal(0, window.Change);
        });
    }

    [Fact]
    public void Windows_WithGuidance_ReadTheConditionalHalf()
    {
        using var study = new StepStudy(Model, Small with { Guidance = 3 });
        var site = Model.Saes.Keys.First();
        var feature = study.Plain().Maps.Find(site, 2)!.Top(1)[0].Feature;

        Assert.All(study.Windows([new FeatureEdit(site, feature, 0)], [0, 3]), window => Assert.Equal(0, window.Effect));
        Assert.All(study.Windows([new FeatureEdit(site, feature, 40)], [0, 3]), window => Assert.NotEqual(0, window.Effect));
    }

    [Theory]
    [InlineData(4, 8, "0 1 2 3 4")]
    [InlineData(25, 4, "0 6 12 19 25")]
    [InlineData(1, 8, "0 1")]
    public void Bounds_OfARun_AreWholeStepsInOrder(int steps, int parts, string expected) =>
        Assert.Equal(expected, string.Join(' ', StepStudy.Bounds(steps, parts)));

    [Fact]
    public void Best_OfWindows_IsTheShortestWithNearlyTheLargestEffectThatIsWanted()
    {
        StepWindow[] windows = [new(0, 1, -0.5, 0), new(1, 2, -0.91, 0), new(2, 3, 0.92, 0), new(0, 3, -1, 0), new(3, 4, 0.2, 0)];
        FeatureEdit[] removed = [new FeatureEdit(Site.Middle, 0, -1) { Mode = EditMode.Scale }];
        FeatureEdit[] added = [new FeatureEdit(Site.Middle, 0, 1)];

        Assert.Equal(windows[1], StepStudy.Best(windows, removed));
        Assert.Equal(windows[1], StepStudy.Best(windows, [added[0] with { Mode = EditMode.ReplaceMean }]));
        Assert.Equal(windows[2], StepStudy.Best(windows, added));
        Assert.Null(StepStudy.Best(windows[..2], added));
    }
}
