using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// How alike two dictionaries of a site are, such as two trained from different seeds: by the cosines of their features' directions, with
/// each feature matched with one of the other so that the sum of cosines is largest (Paulo and Belrose, arXiv 2501.16615).
/// </summary>
public static class DictionaryStability
{
    /// <summary>The cosine from which two matched features count as the same, as in the paper.</summary>
    public const double Same = 0.7;

    /// <exception cref="SaeException">The dictionaries differ in width.</exception>
    public static StabilityFigures Measure(IFeatureDictionary first, IFeatureDictionary second)
    {
        var (few, many) = first.Features <= second.Features ? (first, second) : (second, first);
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        var cosines = CosineNeighbours.Cosines(few, many).to(ScalarType.Float32).cpu();
        var (rows, columns) = (few.Features, many.Features);
        var values = cosines.contiguous().data<float>().ToArray();
        double[] matched = [.. Assignment.Largest(values, rows, columns).Select((column, row) => (double)values[(row * columns) + column])];
        var best = cosines.amax(ReferenceEquals(few, first) ? 1L : 0L);
        return new(first.Features, second.Features, matched.Average(), matched.Count(cosine => cosine >= Same) / (double)rows,
            best.to(ScalarType.Float64).mean().item<double>());
    }
}

/// <summary>How alike two dictionaries are.</summary>
/// <param name="MatchedCosine">Mean cosine of the matched features; of unequal numbers each of the smaller dictionary is matched.</param>
/// <param name="SameShare">Share of matches with a cosine of at least <see cref="DictionaryStability.Same"/>.</param>
/// <param name="BestCosine">Mean over the first dictionary's features of the largest cosine with any feature of the second.</param>
public sealed record StabilityFigures(int First, int Second, double MatchedCosine, double SameShare, double BestCosine);

/// <summary>
/// The assignment problem: pairs rows with columns so that the sum of gains is largest (the Hungarian match). Shortest augmenting paths
/// with potentials, as in D. Crouse, On implementing 2D rectangular assignment algorithms, IEEE Transactions on Aerospace and Electronic
/// Systems 52 (2016). Takes rows * rows * columns steps at most.
/// </summary>
internal static class Assignment
{
    /// <param name="gains">[rows, columns], row by row; finite.</param>
    /// <param name="rows">At most as many as columns.</param>
    /// <returns>The column of each row. No column is taken twice.</returns>
    public static int[] Largest(ReadOnlySpan<float> gains, int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, columns);
        ArgumentOutOfRangeException.ThrowIfNotEqual(gains.Length, rows * columns);
        var (rowPrice, columnPrice) = (new double[rows], new double[columns]);
        var (columnOf, rowOf) = (new int[rows], new int[columns]);
        columnOf.AsSpan().Fill(-1);
        rowOf.AsSpan().Fill(-1);
        var (distance, path) = (new double[columns], new int[columns]);
        var (open, seenRows, seenColumns) = (new List<int>(columns), new List<int>(rows), new List<int>(columns));
        for (var start = 0; start < rows; start++)
        {
            distance.AsSpan().Fill(double.PositiveInfinity);
            open.Clear();
            open.AddRange(Enumerable.Range(0, columns));
            seenRows.Clear();
            seenColumns.Clear();
            var (row, sink, least) = (start, -1, 0.0);
            while (sink < 0)
            {
                seenRows.Add(row);
                var nearest = -1;
                for (var i = 0; i < open.Count; i++)
                {
                    var column = open[i];
                    var length = least - gains[(row * columns) + column] - rowPrice[row] - columnPrice[column];
                    if (length < distance[column])
                        (distance[column], path[column]) = (length, row);
                    if (nearest < 0 || distance[column] < distance[open[nearest]]
                        || (distance[column] == distance[open[nearest]] && rowOf[column] < 0 && rowOf[open[nearest]] >= 0))
                        nearest = i;
                }
                var reached = open[nearest];
                open[nearest] = open[^1];
                open.RemoveAt(open.Count - 1);
                seenColumns.Add(reached);
                least = distance[reached];
                (row, sink) = rowOf[reached] < 0 ? (row, reached) : (rowOf[reached], -1);
            }
            foreach (var seen in seenRows)
                rowPrice[seen] += seen == start ? least : least - distance[columnOf[seen]];
            foreach (var seen in seenColumns)
                columnPrice[seen] -= least - distance[seen];
            for (var column = sink; column >= 0;)
            {
                var before = path[column];
                rowOf[column] = before;
                (columnOf[before], column) = (column, before == start ? -1 : columnOf[before]);
            }
        }
        return columnOf;
    }
}

/// <summary>Finds features with similar directions, within a dictionary or in another of the same width.</summary>
public static class CosineNeighbours
{
    // Rows of the similarity matrix computed at a time.
    private const long Chunk = 1024;

    /// <summary>
    /// For each feature of <paramref name="from"/> its <paramref name="count"/> nearest features of <paramref name="to"/>, nearest first.
    /// A feature is not its own neighbour. Computed in float64, so that nearly equal directions keep their order.
    /// </summary>
    /// <exception cref="SaeException">The dictionaries differ in width.</exception>
    public static IReadOnlyList<IReadOnlyList<Neighbour>> Find(IFeatureDictionary from, IFeatureDictionary to, int count)
    {
        RequireEqualWidth(from, to);
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var rows = UnitRows(from.Dictionary);
        return Nearest(rows, ReferenceEquals(from, to) ? rows : UnitRows(to.Dictionary.to(from.Device)), count);
    }

    /// <summary>
    /// For each row of [n, d] the numbers of the rows of [m, d] with the largest products, largest first. If both are the same tensor, a
    /// row is not its own neighbour.
    /// </summary>
    internal static IReadOnlyList<IReadOnlyList<Neighbour>> Nearest(
        Tensor rows, Tensor columns, int count, CancellationToken cancellation = default)
    {
        var same = ReferenceEquals(rows, columns);
        var kept = (int)Math.Min(count, columns.shape[0] - (same ? 1 : 0));
        if (kept <= 0)
            return [.. Enumerable.Repeat<IReadOnlyList<Neighbour>>([], (int)rows.shape[0])];
        var result = new List<IReadOnlyList<Neighbour>>((int)rows.shape[0]);
        for (long start = 0; start < rows.shape[0]; start += Chunk)
        {
            cancellation.ThrowIfCancellationRequested();
            using var chunk = NewDisposeScope();
            var length = Math.Min(Chunk, rows.shape[0] - start);
            var cosines = rows.narrow(0, start, length).mm(columns.t());
            if (same)
            {
                var own = Arithmetic.Range(start, start + length, ScalarType.Int64, cosines.device).unsqueeze(1);
                cosines.scatter_(1, own, Arithmetic.Full([length, 1], -2, rows.dtype, cosines.device));
            }

            var (values, indices) = cosines.topk(kept, 1);
            var nearest = indices.cpu().data<long>().ToArray();
            var similarity = values.to(ScalarType.Float32).cpu().data<float>().ToArray();
            for (var row = 0; row < length; row++)
                result.Add([.. Enumerable.Range(row * kept, kept).Select(i => new Neighbour((int)nearest[i], similarity[i]))]);
        }

        return result;
    }

    /// <summary>The cosines of all pairs, [features of from, features of to] float64.</summary>
    /// <exception cref="SaeException">The dictionaries differ in width.</exception>
    internal static Tensor Cosines(IFeatureDictionary from, IFeatureDictionary to)
    {
        RequireEqualWidth(from, to);
        return UnitRows(from.Dictionary).mm(UnitRows(to.Dictionary.to(from.Device)).t());
    }

    private static void RequireEqualWidth(IFeatureDictionary from, IFeatureDictionary to)
    {
        if (from.Width != to.Width)
            throw new SaeException($"Directions of {from.Width} and {to.Width} channels cannot be compared.");
    }

    private static Tensor UnitRows(Tensor dictionary)
    {
        var rows = dictionary.to(ScalarType.Float64);
        return rows / rows.Square().sum(1).sqrt().AtLeast(1e-12).unsqueeze(1);
    }
}

/// <summary>A feature, and the cosine of the angle between the two directions.</summary>
public readonly record struct Neighbour(int Feature, float Cosine);
