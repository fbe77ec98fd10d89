using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Tests.Scenes;
using SaeUnbox.Mini.Training;

namespace SaeUnbox.Mini.Tests.Training;

public sealed class StepPlanTests
{
    private static readonly NetworkOptions Options = new() { Steps = 1000 };

    [Fact]
    public void Draw_AtTheStart_IsUneditedWithFullCaptionAndHighNoise()
    {
        for (var seed = 0; seed < 50; seed++)
            Assert.Equal(new StepPlan(StepKind.Plain, MiniSites.All.Count, int.MaxValue, false, Options.Amplification),
                StepPlan.Draw(new Random(seed), 0, Options));
    }

    [Fact]
    public void Draw_Later_MixesKindsAsConfigured()
    {
        var plans = Enumerable.Range(0, 2000).Select(seed => StepPlan.Draw(new Random(seed), 900, Options)).ToArray();

        Assert.All(plans, plan => Assert.Equal(1, plan.Amplification));
        Assert.InRange(plans.Count(plan => plan.Kind == StepKind.Swap) / 2000.0, Options.SwapShare - .04, Options.SwapShare + .04);
        Assert.InRange(plans.Count(plan => plan.Kind == StepKind.Paint) / 2000.0, Options.PaintShare - .04, Options.PaintShare + .04);
        Assert.All(plans.Where(plan => plan.Kind != StepKind.Plain),
            plan => Assert.True(plan.CutFrom == plan.Site || plan.CutFrom == int.MaxValue));
    }

    [Fact]
    public void Draw_Edits_PaintWhatTheirTruthShowsUnderTheStroke()
    {
        var shown = 0;
        for (var seed = 0; seed < 60; seed++)
        {
            var scene = Some.Scene(seed);
            var (edit, element, erases) = EditSampler.Draw(new Random(seed), scene);
            var labels = SceneLabels.Of(SceneRenderer.Render(edit.Truth(scene).Inside));
            var cells = Enumerable.Range(0, 256).Where(cell => edit.Cells.Cells[cell]).ToArray();
            if (SceneElement.All[element].Thing is null || erases)
                continue;
            Assert.Contains(cells, cell => SceneElement.All[element].Labels.All(label => labels[label * 256 + cell] == 1));
            shown++;
        }

        Assert.InRange(shown, 20, 50);
    }

    [Fact]
    public void Place_Different_GivesDifferentRepeatableNumbers()
    {
        var first = Enumerable.Range(0, 100).Select(step => RandomAt.Place(1, 4, step, 0).Next()).ToArray();

        Assert.Equal(100, first.Distinct().Count());
        Assert.Equal(first, Enumerable.Range(0, 100).Select(step => RandomAt.Place(1, 4, step, 0).Next()));
        Assert.NotEqual(first[5], RandomAt.Place(1, 4, 5, 1).Next());
    }
}
