using static TorchSharp.torch;

namespace SaeUnbox.Models;

internal static class TensorExtensions
{
    /// <summary>Applies a layer to a tensor that nobody needs afterwards, and frees it at once: large activations must not pile up.</summary>
    public static Tensor Into(this Tensor x, Func<Tensor, Tensor> layer)
    {
        var y = layer(x);
        x.Dispose();
        return y;
    }
}
