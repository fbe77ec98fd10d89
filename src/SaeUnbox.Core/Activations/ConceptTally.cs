namespace SaeUnbox.Core;

/// <summary>
/// Compares how active the features of a site are where a concept is and elsewhere. A feature's score is the difference of its shares of
/// all activation, sum of z_f / sum of all z, as in SAeUron (arXiv 2501.18052).
/// </summary>
/// <param name="features">Size of the site's dictionary.</param>
public sealed class ConceptTally(int features)
{
    private readonly double[] _with = new double[features], _without = new double[features];
    private readonly List<(int Cell, float Value, float Inside)>?[] _cells = new List<(int, float, float)>?[features];
    private double _inside, _outside;
    private int _added;
    private bool _hasRegion;

    /// <summary>Compares a region of one picture with the rest of it, over all steps.</summary>
    public static IReadOnlyDictionary<Site, ConceptTally> OfRegion(ActivationMaps maps, BrushMask region)
    {
        var tallies = new Dictionary<Site, ConceptTally>();
        foreach (var map in maps.All)
        {
            if (!tallies.TryGetValue(map.Site, out var tally))
                tallies[map.Site] = tally = new(map.Features);
            tally.Add(map, region);
        }
        return tallies;
    }

    /// <summary>Adds a picture that has the concept, or does not, as a whole.</summary>
    public void Add(SiteActivations map, bool hasConcept) => Add(map, _ => hasConcept ? 1 : 0);

    /// <summary>Adds a picture with the concept in a region.</summary>
    /// <param name="map">Activations of the site.</param>
    /// <param name="region">How much of each cell has the concept. Any grid: it is scaled to the site's.</param>
    public void Add(SiteActivations map, BrushMask region)
    {
        _hasRegion = true;
        var scaled = region.Scaled(map.Rows, map.Columns);
        Add(map, cell => scaled.Cells[cell]);
    }

    /// <summary>The feature's share of all activation where the concept is, less its share elsewhere.</summary>
    public double Score(int feature) => Score(feature, _with.Sum(), _without.Sum());

    /// <summary>The share of the features' own activation that lies where the concept is, 0 to 1.</summary>
    public double Concentration(IReadOnlyCollection<int> some)
    {
        var (with, without) = (some.Sum(feature => _with[feature]), some.Sum(feature => _without[feature]));
        return with > 0 ? with / (with + without) : 0;
    }

    /// <summary>The features with the largest positive scores, the best first.</summary>
    public IReadOnlyList<ConceptFeature> Best(int count)
    {
        var (with, without) = (_with.Sum(), _without.Sum());
        return
        [
            .. Enumerable.Range(0, features).Select(feature => (Feature: feature, Score: Score(feature, with, without)))
                .Where(one => one.Score > 0).OrderByDescending(one => one.Score).ThenBy(one => one.Feature).Take(count)
                .Select(one => new ConceptFeature(one.Feature, one.Score, Auc(one.Feature))),
        ];
    }

    /// <summary>
    /// The area under the ROC curve of the feature as a detector of the concept's cells, each weighted by how much of it has the concept;
    /// null without a region, or if all cells or none have the concept.
    /// </summary>
    public double? Auc(int feature) => Auc([feature]);

    /// <summary>The same for several features: the score of a cell is the sum of their activations.</summary>
    public double? Auc(IReadOnlyList<int> together)
    {
        if (!_hasRegion)
            return null;
        ScoredCells[] active =
        [
            .. together.SelectMany(feature => _cells[feature] ?? []).GroupBy(cell => cell.Cell)
                .Select(cell => new ScoredCells(cell.Sum(one => (double)one.Value), cell.First().Inside, 1 - cell.First().Inside)),
        ];
        var rest = new ScoredCells(0, _inside - active.Sum(cell => cell.Inside), _outside - active.Sum(cell => cell.Outside));
        return CellDetection.Auc(active.Append(rest));
    }

    private double Score(int feature, double with, double without) =>
        (with > 0 ? _with[feature] / with : 0) - (without > 0 ? _without[feature] / without : 0);

    private void Add(SiteActivations map, Func<int, float> inside)
    {
        for (var cell = 0; cell < map.Rows * map.Columns; cell++)
        {
            var share = inside(cell);
            (_inside, _outside) = (_inside + share, _outside + (1 - share));
            for (var i = cell * map.K; i < (cell + 1) * map.K; i++)
            {
                if (map.Values[i] is not (> 0 and var value))
                    continue;
                var feature = map.Indices[i];
                _with[feature] += share * value;
                _without[feature] += (1 - share) * value;
                (_cells[feature] ??= []).Add((_added + cell, value, share));
            }
        }
        _added += map.Rows * map.Columns;
    }
}

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
