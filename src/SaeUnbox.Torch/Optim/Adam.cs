using static TorchSharp.torch;

namespace TorchSharp.Modules;

/// <summary>Adam (Kingma and Ba, arXiv 1412.6980); weight decay is added to the gradient.</summary>
public class Adam : optim.Optimizer
{
    private readonly double lr, beta1, beta2, eps, weightDecay;
    private readonly bool maximize, decoupled;
    private readonly Dictionary<Parameter, Moments> moments = new(ReferenceEqualityComparer.Instance);

    public Adam(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8,
        double weight_decay = 0, bool amsgrad = false, bool maximize = false)
        : this(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled: false)
    {
    }

    private protected Adam(IEnumerable<Parameter> parameters, double lr, double beta1, double beta2, double eps,
        double weightDecay, bool amsgrad, bool maximize, bool decoupled)
        : base(parameters)
    {
        if (lr < 0) throw new ArgumentException($"Invalid learning rate: {lr}");
        if (beta1 is < 0 or >= 1) throw new ArgumentException($"Invalid beta1 value: {beta1}");
        if (beta2 is < 0 or >= 1) throw new ArgumentException($"Invalid beta2 value: {beta2}");
        if (eps < 0) throw new ArgumentException($"Invalid eps value: {eps}");
        if (amsgrad) throw new NotSupportedException("amsgrad is not supported.");
        (this.lr, this.beta1, this.beta2, this.eps) = (lr, beta1, beta2, eps);
        (this.weightDecay, this.maximize, this.decoupled) = (weightDecay, maximize, decoupled);
    }

    public override Tensor? step(Func<Tensor>? closure = null)
    {
        using var scope = NewDisposeScope();
        Tensor? loss;
        using (enable_grad()) loss = closure?.Invoke();
        using (no_grad())
            foreach (var parameter in parameters())
                if (parameter.grad is { } gradient) Update(parameter, gradient);
        return loss?.MoveToOuterDisposeScope();
    }

    private void Update(Parameter parameter, Tensor gradient)
    {
        if (!moments.TryGetValue(parameter, out var state)) moments[parameter] = state = new Moments(parameter);
        state.Steps++;
        if (maximize) gradient = gradient.neg();
        if (weightDecay != 0 && decoupled) parameter.mul_(1 - lr * weightDecay);
        else if (weightDecay != 0) gradient = gradient.add(parameter, weightDecay);
        state.Mean.mul_(beta1).add_(gradient, 1 - beta1);
        state.Square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
        var correction = Math.Sqrt(1 - Math.Pow(beta2, state.Steps));
        var denominator = state.Square.sqrt().div_(correction).add_(eps);
        parameter.addcdiv_(state.Mean, denominator, -lr / (1 - Math.Pow(beta1, state.Steps)));
    }

    protected override void Dispose(bool disposing)
    {
        foreach (var state in moments.Values)
        {
            state.Mean.Dispose();
            state.Square.Dispose();
        }
        moments.Clear();
    }

    private sealed class Moments(Parameter parameter)
    {
        internal readonly Tensor Mean = zeros_like(parameter).DetachFromDisposeScope();
        internal readonly Tensor Square = zeros_like(parameter).DetachFromDisposeScope();
        internal long Steps;
    }
}

/// <summary>AdamW (Loshchilov and Hutter, arXiv 1711.05101): weight decay shrinks the parameter itself.</summary>
public class AdamW(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8,
    double weight_decay = 0, bool amsgrad = false, bool maximize = false)
    : Adam(parameters, lr, beta1, beta2, eps, weight_decay, amsgrad, maximize, decoupled: true);
