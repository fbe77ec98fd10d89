using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// AdamW (Loshchilov and Hutter, arXiv 1711.05101) with a learning rate given at each step, and with its whole state in view:
/// a run that is resumed must go on as if it had never stopped.
/// </summary>
internal sealed class AdamW : IDisposable
{
    private const double Beta1 = .9, Beta2 = .98, Epsilon = 1e-8;
    private readonly IReadOnlyList<KeyValuePair<string, Tensor>> _parameters;
    private readonly Tensor[] _means, _squares;
    private readonly double _weightDecay;

    public AdamW(IReadOnlyList<KeyValuePair<string, Tensor>> parameters, double weightDecay)
    {
        (_parameters, _weightDecay) = (parameters, weightDecay);
        _means = [.. parameters.Select(parameter => Zeros(parameter.Value))];
        _squares = [.. parameters.Select(parameter => Zeros(parameter.Value))];
    }

    /// <summary>The moments by name, for checkpoints.</summary>
    public IEnumerable<KeyValuePair<string, Tensor>> State => _parameters.SelectMany((parameter, i) => new[]
    {
        KeyValuePair.Create($"adam.mean.{parameter.Key}", _means[i]), KeyValuePair.Create($"adam.square.{parameter.Key}", _squares[i]),
    });

    /// <param name="step">Steps done before this one.</param>
    /// <param name="gradients">One for each parameter.</param>
    public void Step(int step, double learningRate, IReadOnlyList<Tensor> gradients)
    {
        using var noGrad = no_grad();
        var meanCorrection = 1 - Math.Pow(Beta1, step + 1);
        var squareCorrection = Math.Sqrt(1 - Math.Pow(Beta2, step + 1));
        for (var i = 0; i < _parameters.Count; i++)
        {
            using var scope = NewDisposeScope();
            var (parameter, gradient) = (_parameters[i].Value, gradients[i]);
            _means[i].mul_(Beta1).add_(gradient, 1 - Beta1);
            _squares[i].mul_(Beta2).addcmul_(gradient, gradient, 1 - Beta2);
            var denominator = _squares[i].sqrt().div_(squareCorrection).add_(Epsilon);
            parameter.mul_(1 - learningRate * _weightDecay).addcdiv_(_means[i], denominator, -learningRate / meanCorrection);
        }
    }

    public void Dispose()
    {
        foreach (var moment in _means.Concat(_squares))
            moment.Dispose();
    }

    private static Tensor Zeros(Tensor like) => zeros(like.shape, device: like.device).DetachFromDisposeScope();
}
