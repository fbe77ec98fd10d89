using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Gradients taken from the leaves after a backward pass.</summary>
internal static class Gradients
{
    /// <summary>The gradients of the leaves as one <see cref="Row"/> (zeros where a leaf took no part); the leaves are left without.</summary>
    public static Tensor Take(IEnumerable<Tensor> leaves)
    {
        using var scope = NewDisposeScope();
        var taken = new List<Tensor>();
        foreach (var leaf in leaves)
        {
            taken.Add(leaf.grad ?? zeros(leaf.shape, device: leaf.device));
            leaf.grad = null;
        }
        return Row.Of(taken).MoveToOuterDisposeScope();
    }

    /// <summary>Scales a row of gradients so that its norm is at most <paramref name="limit"/>; returns the norm before.</summary>
    public static double Clip(Tensor gradients, double limit)
    {
        using var scope = NewDisposeScope();
        // The library's own norm adds up millions of float32 squares one by one, and is wrong by percents; its sum adds by halves.
        var norm = Math.Sqrt(gradients.Square().sum().item<float>());
        if (norm > limit)
            gradients.MultiplyInPlace(limit / norm);
        return norm;
    }
}
