using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Evaluation;

public sealed class FeatureNamingTests
{
    private const int Cells = CellMask.Side * CellMask.Side;

    [Fact]
    public void In_NightScene_NamesEachCellByWhatItShows()
    {
        var facts = new SceneFacts
        {
            Time = SceneTime.Night,
            Ground = SceneGround.Snow,
            Things = [new(ThingKind.House, ThingColor.Red)],
            Plural = true,
            SkyThings = [],
        };
        var picture = SceneRenderer.Render(CaptionedScene.SceneOf(facts, 3), 128);

        var names = FeatureName.In(picture).Select(cell => cell.Select(name => FeatureName.All[name].Text).ToHashSet()).ToArray();

        Assert.All(names, cell => Assert.Contains("night", cell));
        Assert.Superset(new HashSet<string> { "sky", "sky at night" }, names[0]);
        Assert.Superset(new HashSet<string> { "snow", "snow at night", "ground" }, names[^1]);
        Assert.DoesNotContain("sky", names[^1]);
        var houses = names.Where(cell => cell.Contains("house")).ToArray();
        Assert.NotEmpty(houses);
        Assert.All(houses, cell => Assert.Superset(new HashSet<string> { "red house", "something red", "house at night" }, cell));
    }

    [Fact]
    public void All_Names_AreDifferentAndStartWithThePlainElements()
    {
        Assert.Equal(FeatureName.All.Count, FeatureName.All.Select(name => name.Text).Distinct().Count());
        Assert.Equal(SteeringElement.All, FeatureName.All.Take(SteeringElement.All.Count).Select(name => name.Element));
    }

    [Fact]
    public void Scores_FeatureThatFollowsAName_TellsItFromOneThatDoesNot()
    {
        var cells = Read(40, (scene, cell) => Is(scene, cell) ? [0, 2] : [1, 2]);
        var (follows, avoids, always) = (cells.Scores(0)[5], cells.Scores(1)[5], cells.Scores(2)[5]);

        Assert.Equal((1, 0), (follows.Auc, avoids.Auc));
        Assert.Equal((1, 0), (cells.Iou(0, 5), cells.Iou(1, 5)));
        Assert.Equal((40, .25), (always.Scenes, Math.Round(always.Share, 12)));
        Assert.True(follows.FitsSurely && !avoids.FitsSurely && !always.FitsSurely);
        Assert.Empty(cells.Scores(3));
    }

    [Fact]
    public void Certain_OfFewScenes_IsLess()
    {
        var (few, many) = (new NameScore(0, .9, .1, 3), new NameScore(0, .9, .1, 300));

        Assert.Equal(few.Auc, many.Auc);
        Assert.True(!few.FitsSurely && many.FitsSurely);
    }

    [Fact]
    public void Best_OfWays_IsTheMostFaithfulOfThoseThatWorkNearlyBest()
    {
        Assert.Equal(2, ConceptTrials.Best([Outcome(3, 1), Outcome(37, 1), Outcome(40, 5)], outcome => outcome.Distance));
        Assert.Equal(1, ConceptTrials.Best([Outcome(3, 1), Outcome(39, 2), Outcome(40, 5)], outcome => outcome.Distance));
        Assert.Null(ConceptTrials.Best([Outcome(0, 1)], outcome => outcome.Distance));

        static SteeringOutcome Outcome(int works, double distance)
        {
            var outcome = new SteeringOutcome { Distance = distance };
            for (var i = 0; i < 40; i++)
                outcome.Add(before: false, i < works);
            return outcome;
        }
    }

    [Fact]
    public void NearCells_CutAndPutBack_ChangeNothingElsewhere()
    {
        using var scope = NewDisposeScope();
        var near = NearCells.Of([CellMask.Box(1, 12, 4, 4), CellMask.Box(7, 5, 2, 3)]);
        var pictures = rand(2, 3, SceneProbe.Size, SceneProbe.Size);
        byte[][] others = [.. Enumerable.Range(0, 2).Select(_ => new byte[SceneProbe.Size * SceneProbe.Size * 3])];

        var put = near.PutInto(others, near.Cut(pictures));

        // Eight cells around the first four, moved into the picture; eight around the second.
        foreach (var (i, square) in new[] { CellMask.Box(0, 8, 8, 8), CellMask.Box(4, 3, 8, 8) }.Index())
        {
            var whole = PictureBytes.ForProbe(pictures)[i];
            Assert.Equal(0, SceneProbe.Distance(put[i], whole, square));
            Assert.Equal(0, SceneProbe.Distance(put[i], others[i], SceneQuestions.Everywhere.Part(square, inside: false)));
            Assert.NotEqual(0, SceneProbe.Distance(whole, others[i], square));
        }
    }

    [Fact]
    public void Figures_OfFeatures_CountNamesAndWhatTheyPaint()
    {
        MeasuredFeature Of(int feature, string? name, FeatureDetection? isRight, FeatureEffect? effect) =>
            new(Site.Details, feature, name, effect) { Checked = isRight };

        var figures = FeatureFigures.Of(
        [
            Of(0, "house", new(.9, .8, .1), new("house", 6, .75, .8)), Of(1, "sky", new(.79, .95, .1), null),
            Of(2, "sea", new(.79, .94, .1), new("sea", 3, 1, .7)), Of(3, "sea", null, new("sea", null, 0, null)),
            Of(4, null, null, null), Of(5, null, null, null),
        ], new());

        Assert.Equal(new(6, 4, 2, 4, 2, 3, 2, 1), figures);
    }

    private static bool Is(int scene, int cell) => (scene + cell) % 4 == 0;

    // Scenes in which name 5 applies to a quarter of the cells, and three features in the cells that are given.
    private static FeatureCells Read(int scenes, Func<int, int, long[]> active)
    {
        using var scope = NewDisposeScope();
        var places = Enumerable.Range(0, scenes).SelectMany(scene => Enumerable.Range(0, Cells).Select(cell => (scene, cell))).ToArray();
        var cells = new FeatureCells(4,
            [.. places.Chunk(Cells).Select(all => all.Select(one => Is(one.scene, one.cell) ? new[] { 5 } : []).ToArray())]);
        var indices = places.SelectMany(one => active(one.scene, one.cell)).ToArray();
        using var codes = new SparseCodes(tensor(indices).reshape(scenes, CellMask.Side, CellMask.Side, 2),
            ones(scenes, CellMask.Side, CellMask.Side, 2), 4);
        cells.Add(codes, 0);
        return cells;
    }
}
