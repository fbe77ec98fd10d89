namespace SaeUnbox.Steering;

/// <summary>Encodes what a block did into the features of its dictionary.</summary>
public static class ActivationReader
{
    /// <summary>The active features of one picture of the batch.</summary>
    /// <param name="sae">The site's autoencoder.</param>
    /// <param name="site">The site.</param>
    /// <param name="step">The denoising step, from 0.</param>
    /// <param name="input">The block's input, [batch, d, h, w].</param>
    /// <param name="output">The block's output, [batch, d, h, w].</param>
    /// <param name="picture">Index in the batch. Under guidance, the conditional half follows the unconditional half.</param>
    public static SiteActivations Read(IFeatureDictionary sae, Site site, int step, Tensor input, Tensor output, int picture = 0)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (picture < 0 || picture >= output.shape[0])
            throw new SaeException($"Picture {picture} does not exist in a batch of {output.shape[0]}.");
        var vectors = sae.VectorsOf(input.narrow(0, picture, 1), output.narrow(0, picture, 1));
        using var codes = sae.Encode(vectors);
        return new SiteActivations(
            site,
            step,
            (int)output.shape[2],
            (int)output.shape[3],
            codes.Features,
            codes.Indices.to(ScalarType.Int32).cpu().data<int>().ToArray(),
            codes.Values.cpu().data<float>().ToArray())
        {
            ExplainedVariance = ExplainedVariance.PerChannel(sae.Decode(codes), vectors),
        };
    }
}

/// <summary>Explained variance of a reconstruction, by the two formulas in use.</summary>
public static class ExplainedVariance
{
    // As in the reference, this avoids a division by 0 for constant channels.
    private const double Guard = 1e-8;

    /// <summary>As in the reference: 1 - var(x - x_hat) / (var(x) + 1e-8) per channel over positions, averaged over channels.</summary>
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

    /// <summary>The usual definition: 1 - sum |x - x_hat|^2 / sum |x - mean(x)|^2, all channels pooled.</summary>
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

/// <summary>What a dictionary does to each vector x [d] before it encodes it, and undoes after decoding.</summary>
public enum InputNormalisation
{
    None,

    /// <summary>x sqrt(d) / |x|: SAELens's constant_norm_rescale.</summary>
    ConstantNorm,

    /// <summary>(x - mean) / (std + 1e-5), std with d - 1: SAELens's layer_norm, SAeUron's input_unit_norm.</summary>
    Standard,
}

/// <summary>
/// How vectors were normalised: x = x' * Factor + Offset. Multiply a contribution of the dictionary by <paramref name="Factor"/> to get the
/// site's own units.
/// </summary>
/// <param name="Factor">[..., 1] float32.</param>
/// <param name="Offset">[..., 1] float32; null for 0.</param>
public sealed record InputFrame(Tensor Factor, Tensor? Offset) : IDisposable
{
    // As in both sources; it only avoids a division by 0.
    private const double Guard = 1e-5;

    // Leaves vectors of zeros unchanged.
    private const double SmallestNorm = 1e-30;

    /// <summary>Normalises rows [p, d].</summary>
    /// <returns>The normalised rows and how to undo it; null if there is nothing to undo.</returns>
    internal static (Tensor Rows, InputFrame? Frame) Apply(InputNormalisation kind, Tensor rows)
    {
        switch (kind)
        {
            case InputNormalisation.ConstantNorm:
                {
                    var factor = rows.Square().sum(-1, keepdim: true).sqrt().Over(Math.Sqrt(rows.shape[^1])).AtLeast(SmallestNorm);
                    return (rows / factor, new InputFrame(factor, null));
                }

            case InputNormalisation.Standard:
                {
                    var mean = rows.mean([-1], keepdim: true);
                    var centred = rows - mean;
                    var deviation = centred.std(-1, unbiased: true, keepdim: true);
                    return (centred / deviation.Plus(Guard), new InputFrame(deviation, mean));
                }

            default:
                return (rows, null);
        }
    }

    /// <summary>Converts reconstructions [..., d] to the site's units.</summary>
    internal Tensor Restore(Tensor reconstruction) =>
        Offset is null ? reconstruction * Factor : (reconstruction * Factor).Plus(Offset);

    public void Dispose()
    {
        Factor.Dispose();
        Offset?.Dispose();
    }
}
