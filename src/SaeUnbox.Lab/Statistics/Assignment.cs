namespace SaeUnbox.Lab;

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
