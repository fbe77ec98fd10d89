using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>How much of the activations a reconstruction explains, by the two formulas in use.</summary>
public static class ExplainedVariance
{
    // The reference's guard against constant channels.
    private const double Guard = 1e-8;

    /// <summary>The reference's: 1 - var(x - x_hat) / (var(x) + 1e-8) per channel over positions, averaged over channels.</summary>
    /// <param name="reconstruction">[..., d], any floating type.</param>
    /// <param name="x">[..., d], any floating type.</param>
    public static double PerChannel(Tensor reconstruction, Tensor x)
    {
        using var scope = NewDisposeScope();
        var width = x.shape[^1];
        var values = Rows(x, width);
        var residual = values - Rows(reconstruction, width);
        return (Variance(residual) / Variance(values).Plus(Guard)).SubtractedFrom(1).mean().item<float>();
    }

    /// <summary>The usual: 1 - sum |x - x_hat|^2 / sum |x - mean(x)|^2, all channels pooled.</summary>
    /// <param name="reconstruction">[..., d], any floating type.</param>
    /// <param name="x">[..., d], any floating type.</param>
    public static double Pooled(Tensor reconstruction, Tensor x)
    {
        using var scope = NewDisposeScope();
        var width = x.shape[^1];
        var values = Rows(x, width);
        var residual = values - Rows(reconstruction, width);
        var centred = values - values.mean([0]);
        return 1 - (residual * residual).sum().item<float>() / (centred * centred).sum().item<float>();
    }

    private static Tensor Rows(Tensor values, long width) => values.reshape(-1, width).to(ScalarType.Float32);

    private static Tensor Variance(Tensor values)
    {
        var centred = values - values.mean([0]);
        return (centred * centred).mean([0]);
    }
}
