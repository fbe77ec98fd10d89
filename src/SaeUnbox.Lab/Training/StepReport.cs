namespace SaeUnbox.Lab;

/// <summary>What one training step measured, before its weight update.</summary>
/// <param name="Step">Counted from 0.</param>
/// <param name="Reconstruction">mse_scale * mean squared error (nested: the mean over the prefixes).</param>
/// <param name="Auxiliary">auxk coefficient * normalised error of the dead features' reconstruction of the residual.</param>
/// <param name="ExplainedVariance">The reference's: 1 - var(residual) / var(x) per channel, averaged.</param>
/// <param name="NormRatio">Mean of |x_hat| / |x|.</param>
/// <param name="Dead">Features over the dead threshold.</param>
/// <param name="ActivePerPosition">Mean number of features with a value above 0.</param>
/// <param name="LearningRate">The rate of this step.</param>
/// <param name="Silent">How many features have long been silent, as the reference logs it.</param>
public sealed record StepReport(
    long Step,
    double Reconstruction,
    double Auxiliary,
    double ExplainedVariance,
    double NormRatio,
    long Dead,
    double ActivePerPosition,
    double LearningRate,
    SilentShares Silent)
{
    public double Total => Reconstruction + Auxiliary;
}

/// <summary>Shares of features that have not fired for more than so many vectors.</summary>
public readonly record struct SilentShares(double TenThousand, double Million, double TenMillion);
