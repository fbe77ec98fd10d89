namespace SaeUnbox.Lab.Tests.Evaluation;

public class SteeringTallyTests
{
    private static PictureReading Seen(bool hasElement, bool isUnclear, params string[] others) => new(hasElement, others, isUnclear);

    [Fact]
    public void Figures_OfPaintedPictures_CountWhatWasPossible()
    {
        var tally = new SteeringTally();
        // Already there: success cannot be told.
        tally.Add(SteeringTask.Paint, Seen(true, false, "day", "there"), Seen(true, false, "day", "there"), (0.5, 0.1));
        tally.Add(SteeringTask.Paint, Seen(false, false, "day", "there"), Seen(true, true, "night", "there"), (0.3, 0.2));
        tally.Add(SteeringTask.Paint, Seen(false, true, "day"), Seen(false, true, "day"), (0.2, 0));
        tally.Add(SteeringTask.Paint, Seen(false, false), Seen(true, false), (0, 0));

        var figures = tally.Figures;

        Assert.Equal((4, 3), (figures.Pictures, figures.Possible));
        Assert.Equal(2 / 3.0, figures.Success!.Value, 12);
        Assert.Equal(3 / 4.0, tally.Found!.Value, 12);
        // The last picture had nothing else to keep.
        Assert.Equal((1 + 0.5 + 1) / 3, figures.Retention!.Value, 12);
        Assert.Equal(0.5, figures.Artefacts!.Value, 12);
        Assert.Equal(0.25, figures.ArtefactsBefore!.Value, 12);
        Assert.Equal(0.3 / 1.0, figures.Leakage!.Value, 12);
        Assert.Equal(2 / 3.0 * (2.5 / 3) * 0.5, SteeringTally.Score(figures)!.Value, 12);
    }

    [Fact]
    public void Figures_OfRemoval_CountWhatIsGone()
    {
        var tally = new SteeringTally();
        tally.Add(SteeringTask.Remove, Seen(true, false, "a"), Seen(false, false, "a"), (0.5, 0));
        tally.Add(SteeringTask.Remove, Seen(true, false, "a"), Seen(true, false, "b"), (0.5, 0));
        tally.Add(SteeringTask.Remove, Seen(false, false, "a"), Seen(false, false, "a"), (0.5, 0));

        Assert.Equal(2, tally.Figures.Possible);
        Assert.Equal(0.5, tally.Figures.Success!.Value, 12);
        Assert.Equal(2 / 3.0, tally.Figures.Retention!.Value, 12);
        Assert.Equal(0, tally.Figures.Leakage);
    }

    [Fact]
    public void Figures_OfNothing_AreUnknown()
    {
        var figures = new SteeringTally().Figures;

        Assert.Equal(new SteeringFigures(0, 0, null, null, null, null, null), figures);
        Assert.Null(SteeringTally.Score(figures));
    }

    [Fact]
    public void Mean_OfFigures_LeavesOutWhatIsUnknown()
    {
        var mean = SteeringFigures.Mean([new(2, 1, 1, 0.5, 0, 0, 0.2), new(3, 0, null, 1, 0.5, 0, null)]);

        Assert.Equal(new SteeringFigures(5, 1, 1, 0.75, 0.25, 0, 0.2), mean);
    }
}
