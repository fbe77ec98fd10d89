using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// AdamW (Loshchilov and Hutter, arXiv 1711.05101). Unlike TorchSharp's it exposes its whole state, so that a resumed run continues
/// exactly.
/// </summary>
internal sealed class AdamW(IReadOnlyList<KeyValuePair<string, Tensor>> parameters, double weightDecay) : IDisposable
{
    private const double Beta1 = .9, Beta2 = .98, Epsilon = 1e-8;
    private readonly Tensor _mean = Row.Zeros(parameters), _square = Row.Zeros(parameters);

    /// <summary>The moments by name, for checkpoints.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State =>
        [.. Row.Parts(_mean, parameters, "adam.mean."), .. Row.Parts(_square, parameters, "adam.square.")];

    /// <param name="step">The number of the step, counted from 0.</param>
    /// <param name="gradients">The gradients of all parameters, as one <see cref="Row"/>.</param>
    public void Step(int step, double learningRate, Tensor gradients)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var values = Row.Of(parameters.Select(parameter => parameter.Value));
        _mean.MultiplyInPlace(Beta1).Accumulate(gradients, 1 - Beta1);
        _square.MultiplyInPlace(Beta2).AccumulateProduct(gradients, gradients, 1 - Beta2);
        var denominator = _square.sqrt().DivideInPlace(Math.Sqrt(1 - Math.Pow(Beta2, step + 1))).AddInPlace(Epsilon);
        values.MultiplyInPlace(1 - learningRate * weightDecay).AccumulateQuotient(_mean, denominator,
            -learningRate / (1 - Math.Pow(Beta1, step + 1)));
        Row.CopyTo(values, parameters);
    }

    public void Dispose()
    {
        _mean.Dispose();
        _square.Dispose();
    }
}

/// <summary>Reads and clips gradients.</summary>
internal static class Gradients
{
    /// <summary>Moves the gradients of the leaves into one <see cref="Row"/>. Leaves without a gradient give zeros.</summary>
    public static Tensor Take(IEnumerable<Tensor> leaves)
    {
        using var scope = NewDisposeScope();
        var taken = new List<Tensor>();
        foreach (var leaf in leaves)
        {
            taken.Add(leaf.grad ?? zeros(leaf.shape, device: leaf.device));
            leaf.grad = null;
        }
        return Row.Of(taken).MoveToOuterDisposeScope();
    }

    /// <summary>Scales a row of gradients to a norm of at most <paramref name="limit"/>.</summary>
    /// <returns>The norm before.</returns>
    public static double Clip(Tensor gradients, double limit)
    {
        using var scope = NewDisposeScope();
        // libtorch's norm adds millions of float32 squares one by one, and is off by some percent. Its sum is accurate.
        var norm = Math.Sqrt(gradients.Square().sum().item<float>());
        if (norm > limit)
            gradients.MultiplyInPlace(limit / norm);
        return norm;
    }
}

/// <summary>A schedule with linear warm-up and cosine decay.</summary>
internal static class LearningRate
{
    // The last learning rate as a share of the peak.
    private const double Rest = .02;

    public static double At(int step, int steps, int warmUp, double peak)
    {
        var warm = Math.Min(1, (step + 1.0) / Math.Max(1, warmUp));
        var fall = .5 * (1 + Math.Cos(Math.PI * Math.Min(1, (double)step / steps)));
        return peak * warm * (fall * (1 - Rest) + Rest);
    }
}

/// <summary>
/// Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): momentum, made orthogonal by five Newton-Schulz iterations, so
/// that all directions learn equally fast. For matrices, and for convolutions as [out, in * height * width]. Equal shapes are computed
/// together.
/// </summary>
internal sealed class Muon : IDisposable
{
    private const double Momentum = .95;
    private const int Iterations = 5;
    private readonly IReadOnlyList<KeyValuePair<string, Tensor>> _parameters;
    private readonly Tensor _momentum, _scale;
    private readonly double _weightDecay;
    private readonly int[][][] _shares;

    /// <param name="threads">Number of threads, which share the work.</param>
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

    /// <summary>The momentum by name, for checkpoints.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => [.. Row.Parts(_momentum, _parameters, "muon.")];

    /// <param name="gradients">The gradients of all parameters, as one <see cref="Row"/>.</param>
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

    /// <summary>Approximates the nearest orthogonal matrix of each of [matrices, rows, columns]. bfloat16 is precise enough.</summary>
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

    // For each thread, groups of parameters with the same shape.
    private static int[][][] ShareOut(IReadOnlyList<KeyValuePair<string, Tensor>> parameters, int threads)
    {
        var (shares, loads) = (Enumerable.Range(0, threads).Select(_ => new List<int[]>()).ToArray(), new double[threads]);
        var groups = Enumerable.Range(0, parameters.Count)
            .GroupBy(i => (Rows(parameters[i].Value), Columns(parameters[i].Value))).Select(group => group.ToArray());
        foreach (var group in groups.OrderByDescending(Cost))
        {
            var lightest = Array.IndexOf(loads, loads.Min());
            shares[lightest].Add(group);
            loads[lightest] += Cost(group);
        }
        return [.. shares.Select(share => share.ToArray())];

        double Cost(int[] group)
        {
            var first = parameters[group[0]].Value;
            return group.Length * (double)first.numel() * Math.Min(Rows(first), Columns(first));
        }
    }

    private static long Rows(Tensor parameter) => parameter.shape[0];

    private static long Columns(Tensor parameter) => parameter.numel() / parameter.shape[0];
}

/// <summary>
/// Many tensors as one flat tensor, and back. An optimiser step over a row takes a few operations for any number of tensors, which is much
/// faster on a GPU.
/// </summary>
internal static class Row
{
    /// <summary>The concatenated values of all tensors.</summary>
    public static Tensor Of(IEnumerable<Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        return cat(tensors.Select(tensor => tensor.flatten()).ToArray()).MoveToOuterDisposeScope();
    }

    public static Tensor Zeros(IReadOnlyList<KeyValuePair<string, Tensor>> like) =>
        zeros([like.Sum(tensor => tensor.Value.numel())], device: like[0].Value.device).DetachFromDisposeScope();

    /// <summary>Views of the parts of a row, with the names and shapes of the given tensors.</summary>
    public static IEnumerable<KeyValuePair<string,
        Tensor>> Parts(Tensor row, IReadOnlyList<KeyValuePair<string, Tensor>> like, string prefix = "")
    {
        long start = 0;
        foreach (var (name, tensor) in like)
        {
            using var part = row.narrow(0, start, tensor.numel());
            yield return new(prefix + name, part.view(tensor.shape));
            start += tensor.numel();
        }
    }

    /// <summary>Copies the parts of a row to the tensors.</summary>
    public static void CopyTo(Tensor row, IReadOnlyList<KeyValuePair<string, Tensor>> tensors)
    {
        using var scope = NewDisposeScope();
        foreach (var (part, tensor) in Parts(row, tensors).Zip(tensors))
            tensor.Value.copy_(part.Value);
    }
}

/// <summary>Names the tensors that are trained: as in the checkpoint, and fused ones by number.</summary>
internal static class NamedTensors
{
    public static IReadOnlyList<KeyValuePair<string, Tensor>> Of(Weights weights, string prefix)
    {
        var names = new Dictionary<Tensor, string>(ReferenceEqualityComparer.Instance);
        foreach (var (name, tensor) in weights.Tensors)
            names[tensor] = name;
        var fused = 0;
        return [.. weights.Leaves.Select(leaf => KeyValuePair.Create(prefix + NameOf(leaf), leaf))];

        string NameOf(Tensor leaf) => names.TryGetValue(leaf, out var name) ? name : $"fused.{fused++}";
    }
}
