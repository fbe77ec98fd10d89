using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Count, mean and variance of many series, taken in piece by piece (Chan, Golub and LeVeque, The American Statistician 37, 1983).
/// All in float64. Squares are of distances from the mean: those of the values themselves lose the spread beside a large mean.
/// </summary>
internal sealed class RunningMoments : IDisposable
{
    private readonly Tensor _counts;
    private readonly Tensor _means;
    private readonly Tensor _squares;

    public RunningMoments(long series, Device device)
    {
        (_counts, _means, _squares) = (Zeros(), Zeros(), Zeros());

        Tensor Zeros() => zeros([series], dtype: ScalarType.Float64, device: device).DetachFromDisposeScope();
    }

    /// <summary>One value more for each series in every row, [p, series].</summary>
    public void AddRows(Tensor rows)
    {
        using var scope = NewDisposeScope();
        if (rows.shape[0] == 0)
            return;
        var values = rows.to(ScalarType.Float64);
        var means = values.mean([0]);
        Merge(Arithmetic.Full(means.shape, rows.shape[0], ScalarType.Float64, rows.device), means, (values - means).Square().sum([0]));
    }

    /// <summary>Values of single series: which, [m] int64, and what, [m].</summary>
    public void AddAt(Tensor series, Tensor values)
    {
        using var scope = NewDisposeScope();
        var wide = values.to(ScalarType.Float64);
        var counts = zeros_like(_counts).scatter_add_(0, series, ones_like(wide));
        var means = zeros_like(_means).scatter_add_(0, series, wide) / counts.AtLeast(1);
        Merge(counts, means, zeros_like(_squares).scatter_add_(0, series, (wide - means.index_select(0, series)).Square()));
    }

    /// <summary>Of each series the number of its values, their mean and their population variance; zeros where there are none.</summary>
    public (double[] Counts, double[] Means, double[] Variances) Read()
    {
        using var scope = NewDisposeScope();
        return (Values(_counts), Values(_means), Values(_squares / _counts.AtLeast(1)));

        static double[] Values(Tensor tensor) => tensor.cpu().data<double>().ToArray();
    }

    public void Dispose()
    {
        _counts.Dispose();
        _means.Dispose();
        _squares.Dispose();
    }

    private void Merge(Tensor counts, Tensor means, Tensor squares)
    {
        var share = counts / _counts.Plus(counts).AtLeast(1);
        var step = means - _means;
        _squares.Accumulate(squares).Accumulate(step.Square() * _counts * share);
        _means.Accumulate(step * share);
        _counts.Accumulate(counts);
    }
}
