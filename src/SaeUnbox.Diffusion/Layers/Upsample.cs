using static TorchSharp.torch;

namespace SaeUnbox.Diffusion;

/// <summary>Larger pictures by repeating cells.</summary>
internal static class Upsample
{
    public static Tensor Nearest(Tensor x, int factor) => Nearest(x, x.shape[2] * factor, x.shape[3] * factor);

    /// <summary>To any size: cell i of the result is cell floor(i * old / new).</summary>
    public static Tensor Nearest(Tensor x, long height, long width)
    {
        using var scope = NewDisposeScope();
        // libtorch before 2.1 has no bfloat16 kernel for it; float32 holds the values exactly.
        var wide = x.dtype == ScalarType.BFloat16 ? x.to_type(ScalarType.Float32) : x;
        return nn.functional.interpolate(wide, [height, width], mode: InterpolationMode.Nearest).to_type(x.dtype).MoveToOuterDisposeScope();
    }
}
