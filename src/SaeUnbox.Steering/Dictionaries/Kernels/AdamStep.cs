namespace SaeUnbox.Steering;

/// <summary>The numbers of one Adam step (Kingma and Ba, arXiv 1412.6980), including its bias corrections.</summary>
internal readonly record struct AdamStep(double Beta1, double Beta2, double Epsilon, double StepSize, double SecondMomentScale)
{
    /// <summary>Step number <paramref name="step"/>, counted from 1.</summary>
    public static AdamStep At(long step, double learningRate, double beta1, double beta2, double epsilon) => new(
        beta1,
        beta2,
        epsilon,
        learningRate / (1 - Math.Pow(beta1, step)),
        Math.Sqrt(1 - Math.Pow(beta2, step)));
}
