using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// Muon (Jordan et al. 2024): momentum whose matrix is made orthogonal by five steps of a Newton-Schulz iteration, so that every
/// direction learns alike. For matrices, and for convolutions as [out, in * height * width]; those of one shape are done together.
/// </summary>
internal sealed class Muon : IDisposable
{
    private const double Momentum = .95;
    private const int Iterations = 5;
    private readonly IReadOnlyList<KeyValuePair<string, Tensor>> _parameters;
    private readonly Tensor _momentum, _scale;
    private readonly double _weightDecay;
    private readonly int[][][] _shares;

    /// <param name="threads">Threads among which the shapes are shared out, by their cost.</param>
    public Muon(IReadOnlyList<KeyValuePair<string, Tensor>> parameters, double weightDecay, int threads)
    {
        (_parameters, _weightDecay) = (parameters, weightDecay);
        _momentum = Row.Zeros(parameters);
        _scale = Row.Zeros(parameters);
        using var scope = NewDisposeScope();
        foreach (var (part, parameter) in Row.Parts(_scale, parameters).Zip(parameters))
            part.Value.Fill(.2 * Math.Sqrt(Math.Max(Rows(parameter.Value), Columns(parameter.Value))));
        _shares = ShareOut(parameters, threads);
    }

    /// <summary>The momenta by name, for checkpoints.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => [.. Row.Parts(_momentum, _parameters, "muon.")];

    /// <param name="gradients">Of all parameters, as one <see cref="Row"/>.</param>
    public void Step(double learningRate, Tensor gradients)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        _momentum.MultiplyInPlace(Momentum).Accumulate(gradients);
        var wanted = Row.Parts(gradients.Plus(_momentum.Times(Momentum)), _parameters).Select(part => part.Value.flatten(1)).ToArray();
        var updates = new Tensor[wanted.Length];
        Parallel.ForEach(_shares, share =>
        {
            Threads.Use(1);
            using var noGrad = no_grad();
            foreach (var group in share)
            {
                using var inner = NewDisposeScope();
                var done = Orthogonal(stack(group.Select(i => wanted[i])));
                foreach (var (place, i) in group.Index())
                    updates[i] = done[place].DetachFromDisposeScope();
            }
        });
        var values = Row.Of(_parameters.Select(parameter => parameter.Value));
        values.MultiplyInPlace(1 - learningRate * _weightDecay).AccumulateProduct(Row.Of(updates), _scale, -learningRate);
        Row.CopyTo(values, _parameters);
        foreach (var update in updates)
            update.Dispose();
    }

    public void Dispose()
    {
        _momentum.Dispose();
        _scale.Dispose();
    }

    /// <summary>Of each of [matrices, rows, columns] the nearest with singular values about 1, roughly: bfloat16 is enough for a direction.</summary>
    internal static Tensor Orthogonal(Tensor matrices)
    {
        using var scope = NewDisposeScope();
        var turned = matrices.shape[1] > matrices.shape[2];
        var x = (turned ? matrices.transpose(1, 2) : matrices) / matrices.flatten(1).norm(1).reshape(-1, 1, 1).Plus(1e-7);
        x = x.to_type(ScalarType.BFloat16);
        for (var i = 0; i < Iterations; i++)
        {
            var a = x.bmm(x.transpose(1, 2));
            x = x.Times(3.4445).Plus(a.Times(-4.7750).Plus(a.bmm(a).Times(2.0315)).bmm(x));
        }
        return (turned ? x.transpose(1, 2) : x).to_type(matrices.dtype).contiguous().MoveToOuterDisposeScope();
    }

    // Each share is groups of matrices of one shape.
    private static int[][][] ShareOut(IReadOnlyList<KeyValuePair<string, Tensor>> parameters, int threads)
    {
        var (shares, loads) = (Enumerable.Range(0, threads).Select(_ => new List<int[]>()).ToArray(), new double[threads]);
        var groups = Enumerable.Range(0, parameters.Count).GroupBy(i => (Rows(parameters[i].Value), Columns(parameters[i].Value))).Select(group => group.ToArray());
        foreach (var group in groups.OrderByDescending(Cost))
        {
            var lightest = Array.IndexOf(loads, loads.Min());
            shares[lightest].Add(group);
            loads[lightest] += Cost(group);
        }
        return [.. shares.Select(share => share.ToArray())];

        double Cost(int[] group) => group.Length * (double)parameters[group[0]].Value.numel() * Math.Min(Rows(parameters[group[0]].Value), Columns(parameters[group[0]].Value));
    }

    private static long Rows(Tensor parameter) => parameter.shape[0];

    private static long Columns(Tensor parameter) => parameter.numel() / parameter.shape[0];
}
