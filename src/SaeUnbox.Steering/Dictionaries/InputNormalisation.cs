using static TorchSharp.torch;

namespace SaeUnbox.Steering;

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
