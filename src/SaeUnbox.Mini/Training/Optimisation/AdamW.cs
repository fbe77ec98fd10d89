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
