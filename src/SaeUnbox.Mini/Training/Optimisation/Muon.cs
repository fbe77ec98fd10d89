using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// Muon (Jordan et al. 2024): momentum whose matrix is made orthogonal by five steps of a Newton-Schulz iteration, so that every
/// direction learns alike. For matrices, and for convolutions as [out, in * height * width].
/// </summary>
internal sealed class Muon : IDisposable
{
    private const double Momentum = .95;
    private const int Iterations = 5;
    private readonly IReadOnlyList<KeyValuePair<string, Tensor>> _parameters;
    private readonly Tensor[] _momenta;
    private readonly double _weightDecay;
    private readonly int[][] _shares;

    /// <param name="threads">Threads among which the matrices are shared out, by their cost.</param>
    public Muon(IReadOnlyList<KeyValuePair<string, Tensor>> parameters, double weightDecay, int threads)
    {
        (_parameters, _weightDecay) = (parameters, weightDecay);
        _momenta = [.. parameters.Select(parameter => zeros(parameter.Value.shape, device: parameter.Value.device).DetachFromDisposeScope())];
        _shares = ShareOut(parameters, threads);
    }

    /// <summary>The momenta by name, for checkpoints.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State =>
        _parameters.Select((parameter, i) => KeyValuePair.Create($"muon.{parameter.Key}", _momenta[i]));

    public void Step(double learningRate, IReadOnlyList<Tensor> gradients) => Parallel.ForEach(_shares, share =>
    {
        set_num_threads(1);
        using var noGrad = no_grad();
        foreach (var i in share)
        {
            using var scope = NewDisposeScope();
            var parameter = _parameters[i].Value;
            _momenta[i].mul_(Momentum).add_(gradients[i]);
            var update = Orthogonal((gradients[i] + Momentum * _momenta[i]).flatten(1)).reshape(parameter.shape);
            var scale = .2 * Math.Sqrt(Math.Max(parameter.shape[0], parameter.numel() / parameter.shape[0]));
            parameter.mul_(1 - learningRate * _weightDecay).add_(update, -learningRate * scale);
        }
    });

    public void Dispose()
    {
        foreach (var momentum in _momenta)
            momentum.Dispose();
    }

    /// <summary>The nearest matrix with singular values about 1, roughly: bfloat16 is enough for a direction.</summary>
    internal static Tensor Orthogonal(Tensor matrix)
    {
        using var scope = NewDisposeScope();
        var turned = matrix.shape[0] > matrix.shape[1];
        var x = (turned ? matrix.t() : matrix) / (matrix.norm() + 1e-7);
        x = x.to_type(ScalarType.BFloat16);
        for (var i = 0; i < Iterations; i++)
        {
            var a = x.matmul(x.t());
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a.matmul(a)).matmul(x);
        }
        return (turned ? x.t() : x).to_type(matrix.dtype).contiguous().MoveToOuterDisposeScope();
    }

    private static int[][] ShareOut(IReadOnlyList<KeyValuePair<string, Tensor>> parameters, int threads)
    {
        var (shares, loads) = (Enumerable.Range(0, threads).Select(_ => new List<int>()).ToArray(), new double[threads]);
        foreach (var i in Enumerable.Range(0, parameters.Count).OrderByDescending(Cost))
        {
            var lightest = Array.IndexOf(loads, loads.Min());
            shares[lightest].Add(i);
            loads[lightest] += Cost(i);
        }
        return [.. shares.Select(share => share.ToArray())];

        double Cost(int i)
        {
            var (rows, values) = (parameters[i].Value.shape[0], parameters[i].Value.numel());
            return (double)values * Math.Min(rows, values / rows);
        }
    }
}
