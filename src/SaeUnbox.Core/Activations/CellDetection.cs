namespace SaeUnbox.Core;

/// <summary>How well scores of cells find those that show something. Larger scores stand for more of it.</summary>
public static class CellDetection
{
    /// <summary>
    /// The area under the ROC curve: the share of pairs of a cell inside and a cell outside in which the one inside has the larger score;
    /// equal scores count half. Null if all cells are inside, or all outside.
    /// </summary>
    public static double? Auc(IEnumerable<ScoredCells> cells)
    {
        double above = 0, passed = 0, won = 0;
        foreach (var equal in Descending(cells))
        {
            won += equal.Outside * (above + (equal.Inside / 2));
            (above, passed) = (above + equal.Inside, passed + equal.Outside);
        }
        return above > 0 && passed > 0 ? won / (above * passed) : null;
    }

    /// <summary>
    /// Intersection over union of the cells inside and those whose score is at least <paramref name="threshold"/>; null if both are
    /// empty.
    /// </summary>
    public static double? Iou(IEnumerable<ScoredCells> cells, double threshold)
    {
        double hits = 0, union = 0;
        foreach (var one in cells)
        {
            var isFound = one.Score >= threshold;
            hits += isFound ? one.Inside : 0;
            union += one.Inside + (isFound ? one.Outside : 0);
        }
        return union > 0 ? hits / union : null;
    }

    /// <summary>The score that gives the largest <see cref="Iou"/> as a threshold; of equal ones the largest. Null without cells.</summary>
    public static double? BestThreshold(IReadOnlyCollection<ScoredCells> cells)
    {
        var inside = cells.Sum(one => one.Inside);
        var (best, most) = ((double?)null, -1.0);
        double hits = 0, found = 0;
        foreach (var equal in Descending(cells))
        {
            (hits, found) = (hits + equal.Inside, found + equal.Inside + equal.Outside);
            var union = found + inside - hits;
            if (union > 0 && hits / union > most)
                (best, most) = (equal.Score, hits / union);
        }
        return best;
    }

    // Cells of equal score as one, the largest score first.
    private static IEnumerable<ScoredCells> Descending(IEnumerable<ScoredCells> cells)
    {
        ScoredCells[] sorted = [.. cells];
        Array.Sort(sorted, (a, b) => b.Score.CompareTo(a.Score));
        for (var start = 0; start < sorted.Length;)
        {
            var (score, inside, outside) = sorted[start++];
            for (; start < sorted.Length && sorted[start].Score == score; start++)
                (inside, outside) = (inside + sorted[start].Inside, outside + sorted[start].Outside);
            yield return new(score, inside, outside);
        }
    }
}

/// <summary>Cells of one score.</summary>
/// <param name="Inside">How many of them are inside of what is looked for; a fraction for a cell that is partly so.</param>
/// <param name="Outside">How many are outside.</param>
public readonly record struct ScoredCells(double Score, double Inside, double Outside);
