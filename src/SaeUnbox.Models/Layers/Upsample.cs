using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Larger pictures by repeating cells.</summary>
internal static class Upsample
{
    public static Tensor Nearest(Tensor x, int factor) => Nearest(x, x.shape[2] * factor, x.shape[3] * factor);

    /// <summary>To any size: cell i of the result is cell floor(i * old / new).</summary>
    public static Tensor Nearest(Tensor x, long height, long width) =>
        nn.functional.interpolate(x, [height, width], mode: InterpolationMode.Nearest);
}
