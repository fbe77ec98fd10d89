using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) with a learning rate given at each step, and with its whole state in view:
/// a run that is resumed must go on as if it had never stopped.
/// </summary>
internal sealed class AdamW(IReadOnlyList<KeyValuePair<string, Tensor>> parameters, double weightDecay) : IDisposable
{
    private const double Beta1 = .9, Beta2 = .98, Epsilon = 1e-8;
    private readonly Tensor _mean = Row.Zeros(parameters), _square = Row.Zeros(parameters);

    /// <summary>The moments by name, for checkpoints.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => [.. Row.Parts(_mean, parameters, "adam.mean."), .. Row.Parts(_square, parameters, "adam.square.")];

    /// <param name="step">Steps done before this one.</param>
    /// <param name="gradients">Of all parameters, as one <see cref="Row"/>.</param>
    public void Step(int step, double learningRate, Tensor gradients)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var values = Row.Of(parameters.Select(parameter => parameter.Value));
        _mean.MultiplyInPlace(Beta1).Accumulate(gradients, 1 - Beta1);
        _square.MultiplyInPlace(Beta2).AccumulateProduct(gradients, gradients, 1 - Beta2);
        var denominator = _square.sqrt().DivideInPlace(Math.Sqrt(1 - Math.Pow(Beta2, step + 1))).AddInPlace(Epsilon);
        values.MultiplyInPlace(1 - learningRate * weightDecay).AccumulateQuotient(_mean, denominator, -learningRate / (1 - Math.Pow(Beta1, step + 1)));
        Row.CopyTo(values, parameters);
    }

    public void Dispose()
    {
        _mean.Dispose();
        _square.Dispose();
    }
}

/// <summary>Gradients taken from the leaves after a backward pass.</summary>
internal static class Gradients
{
    /// <summary>The gradients of the leaves as one <see cref="Row"/> (zeros where a leaf took no part); the leaves are left without.</summary>
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

    /// <summary>Scales a row of gradients so that its norm is at most <paramref name="limit"/>; returns the norm before.</summary>
    public static double Clip(Tensor gradients, double limit)
    {
        using var scope = NewDisposeScope();
        // The library's own norm adds up millions of float32 squares one by one, and is wrong by percents; its sum adds by halves.
        var norm = Math.Sqrt(gradients.Square().sum().item<float>());
        if (norm > limit)
            gradients.MultiplyInPlace(limit / norm);
        return norm;
    }
}

/// <summary>Linear warm-up, then a cosine down to a small rest.</summary>
internal static class LearningRate
{
    public static double At(int step, int steps, int warmUp, double peak, double rest = .02)
    {
        var warm = Math.Min(1, (step + 1.0) / Math.Max(1, warmUp));
        var fall = .5 * (1 + Math.Cos(Math.PI * Math.Min(1, (double)step / steps)));
        return peak * warm * (fall * (1 - rest) + rest);
    }
}
