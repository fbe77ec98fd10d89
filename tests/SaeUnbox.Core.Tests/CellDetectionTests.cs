using FsCheck.Fluent;

namespace SaeUnbox.Core.Tests;

public class CellDetectionTests
{
    private static readonly FsCheck.Gen<ScoredCells[]> Cells =
        from scores in Gen.ArrayOf(Gen.Choose(-2, 2), 10)
        from inside in Gen.ArrayOf(Gen.Elements(0.0, 0.25, 1), 10)
        select scores.Zip(inside, (score, share) => new ScoredCells(score, share, 1 - share)).ToArray();

    [Fact]
    public void Auc_OfCells_IsTheShareOfPairsInOrder() => Samples.ForAll(Cells, cells =>
    {
        double won = 0, all = 0;
        foreach (var a in cells)
            foreach (var b in cells)
            {
                all += a.Inside * b.Outside;
                won += a.Inside * b.Outside * (a.Score > b.Score ? 1 : a.Score == b.Score ? 0.5 : 0);
            }
        return all == 0 ? CellDetection.Auc(cells) is null : Math.Abs(CellDetection.Auc(cells)!.Value - (won / all)) < 1e-9;
    });

    [Theory]
    [InlineData(2, 1 / 4.0)]
    [InlineData(1, 2 / 5.0)]
    [InlineData(0, 3 / 6.0)]
    [InlineData(3, 0.0)]
    public void Iou_FromAThreshold_IsHitsOverUnion(double threshold, double expected)
    {
        // Inside: 2, 1, 0 and -1; outside: 1 and 0.
        ScoredCells[] cells = [new(2, 1, 0), new(1, 1, 0), new(1, 0, 1), new(0, 1, 0), new(0, 0, 1), new(-1, 1, 0)];

        Assert.Equal(expected, CellDetection.Iou(cells, threshold)!.Value, 12);
        Assert.Equal(-1, CellDetection.BestThreshold(cells));
    }

    [Fact]
    public void BestThreshold_OfCells_GivesTheLargestIou() => Samples.ForAll(Cells, cells =>
    {
        var best = cells.Select(cell => cell.Score).Distinct().Max(score => CellDetection.Iou(cells, score));
        return CellDetection.BestThreshold(cells) is { } threshold
            && Math.Abs(CellDetection.Iou(cells, threshold)!.Value - best!.Value) < 1e-12;
    });

    [Fact]
    public void Figures_WithoutCells_AreUnknown()
    {
        Assert.Null(CellDetection.Auc([new(1, 1, 0)]));
        Assert.Null(CellDetection.Auc([new(1, 0, 1)]));
        Assert.Null(CellDetection.Iou([new(0, 0, 1)], 1));
        Assert.Null(CellDetection.BestThreshold([]));
    }
}
