using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Elementwise passes over a tensor that nobody else holds: in place, since they are bound by memory, unless gradients are
/// recorded, which need the former values.
/// </summary>
internal static class Private
{
    public static Tensor Silu(Tensor mine) => is_grad_enabled() ? mine.silu() : mine.silu_();

    public static Tensor Relu(Tensor mine) => is_grad_enabled() ? mine.relu() : mine.relu_();

    public static Tensor Gelu(Tensor mine) => is_grad_enabled() ? mine.gelu() : mine.gelu_();

    public static Tensor Add(Tensor mine, Tensor other) => is_grad_enabled() ? mine.Plus(other) : mine.Accumulate(other);

    public static Tensor Multiply(Tensor mine, Tensor other) => is_grad_enabled() ? mine.mul(other) : mine.mul_(other);
}
