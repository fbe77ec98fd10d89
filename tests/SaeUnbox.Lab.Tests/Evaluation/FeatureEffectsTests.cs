using SaeUnbox.Testing;

namespace SaeUnbox.Lab.Tests.Evaluation;

public sealed class FeatureEffectsTests(GoldenModel golden) : IClassFixture<GoldenModel>
{
    private const string Run = "turbo1";

    private LoadedModel Model => golden.For(Run);

    // Small, so that every edit is quick.
    private Recipe Small => golden.Recipe(Run) with { Width = 64, Height = 64 };

    [Fact]
    public void Explained_GoldenRun_EqualsTheReference()
    {
        using var effects = new FeatureEffects(Model, golden.Recipe(Run));
        var expected = Goldens.Json("saes.json");

        foreach (var site in effects.Explained())
        {
            Assert.Equal(expected.GetProperty(site.Site.Code).GetProperty("explained_variance").GetDouble(), site.PerChannel, 2e-4);
            Assert.InRange(site.Pooled, -1, 1);
        }
    }

    [Fact]
    public void Explained_BFloat16_UsesDifferencesInFloat32()
    {
        using var halved = LoadedModel.Load(GoldenModel.Options(Run) with { Dtype = Dtype.Bf16 });
        using var effects = new FeatureEffects(halved, Small);
        var maps = effects.Plain().Maps;

        // Of one step both are the same figure of the same numbers; a difference rounded to bfloat16 would be another.
        foreach (var site in effects.Explained())
            Assert.Equal(maps.Find(site.Site)!.ExplainedVariance!.Value, site.PerChannel, 1e-7);
    }

    [Fact]
    public void Ablations_ActiveFeatures_EqualFullRunsWithoutThem()
    {
        var site = Model.Saes.Keys.First();
        using var effects = new FeatureEffects(Model, Small);
        using var fresh = new RecipeRunner(Model);

        var ablations = effects.Ablations(site, 3).ToArray();

        Assert.Equal(effects.Plain().Maps.Find(site)!.Top(3).Select(top => top.Feature), ablations.Select(one => one.Feature));
        foreach (var one in ablations)
        {
            var whole = fresh.Run(Small with { Edits = [new FeatureEdit(site, one.Feature, -1) { Mode = EditMode.Scale }] }).Picture!;
            Assert.True(whole.Pixels.SequenceEqual(one.Picture.Pixels), $"feature {one.Feature}");
            Assert.Equal(MeanChange(effects.Plain().Picture!, whole, (_, _) => true), one.Change, 1e-5);
        }
    }

    [Fact]
    public void Leakages_OfAMask_AreTheMeansOnBothSides()
    {
        var site = Model.Saes.Keys.First();
        var (rows, columns) = Model.Info.Find(site)!.Grid(64, 64);
        var cells = new float[rows * columns];
        cells.AsSpan(0, columns).Fill(1);
        var mask = BrushMask.FromCells(rows, columns, cells);
        using var effects = new FeatureEffects(Model, Small);
        using var fresh = new RecipeRunner(Model);
        var feature = effects.Plain().Maps.Find(site)!.Top(1).Single().Feature;

        var leakage = effects.Leakages(site, [feature], 12, mask).Single();

        var painted = fresh.Run(Small with { Edits = [new FeatureEdit(site, feature, 12) { Mask = mask }] }).Picture!;
        bool IsInside(int x, int y) => y * rows / 64 == 0;
        Assert.Equal(MeanChange(effects.Plain().Picture!, painted, IsInside), leakage.Inside, 1e-5);
        Assert.Equal(MeanChange(effects.Plain().Picture!, painted, (x, y) => !IsInside(x, y)), leakage.Outside, 1e-5);
        Assert.Equal(leakage.Outside / leakage.Inside, leakage.Ratio!.Value, 1e-9);
    }

    [Fact]
    public void Strengths_AreRowsOfSeedsAndColumnsOfStrengths()
    {
        var site = Model.Saes.Keys.First();
        using var effects = new FeatureEffects(Model, Small);
        using var fresh = new RecipeRunner(Model);

        var pictures = effects.Strengths(site, 1, [0, 8], [3, 4]);

        Assert.Equal(4, pictures.Count);
        Assert.True(fresh.Run(Small with { Seed = 4 }).Picture!.Pixels.SequenceEqual(pictures[2].Pixels));
        Assert.True(fresh.Run(
            Small with { Seed = 3, Edits = [new FeatureEdit(site, 1, 8)] }).Picture!.Pixels.SequenceEqual(pictures[1].Pixels));
    }

    [Fact]
    public void Effects_Cancelled_Stop()
    {
        using var effects = new FeatureEffects(Model, Small);
        using var cancellation = new CancellationTokenSource();
        effects.Plain();
        cancellation.Cancel();

        Assert.ThrowsAny<OperationCanceledException>(() => effects.Ablations(Model.Saes.Keys.First(), 2, cancellation.Token).ToArray());
    }

    private static double MeanChange(Picture a, Picture b, Func<int, int, bool> counts)
    {
        double sum = 0;
        var count = 0;
        for (var y = 0; y < a.Height; y++)
            for (var x = 0; x < a.Width; x++)
                if (counts(x, y))
                    for (var c = 0; c < 3; c++, count++)
                        sum += Math.Abs(a.Pixels[((y * a.Width) + x) * 3 + c] - b.Pixels[((y * b.Width) + x) * 3 + c]) / 255.0;
        return sum / count;
    }
}
