using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Gradients taken from the leaves after a backward pass.</summary>
internal static class Gradients
{
    /// <summary>The gradients of the leaves (zeros where a leaf took no part), which are left without.</summary>
    public static Tensor[] Take(IEnumerable<Tensor> leaves)
    {
        var taken = new List<Tensor>();
        foreach (var leaf in leaves)
        {
            taken.Add(leaf.grad ?? zeros(leaf.shape, device: leaf.device));
            leaf.grad = null;
        }
        return [.. taken];
    }

    /// <summary>Scales all gradients together so that their norm is at most <paramref name="limit"/>; returns the norm before.</summary>
    public static double Clip(IReadOnlyList<Tensor> gradients, double limit)
    {
        using var scope = NewDisposeScope();
        var norm = stack(gradients.Select(gradient => gradient.norm())).norm().item<float>();
        if (norm > limit)
            foreach (var gradient in gradients)
                gradient.mul_(limit / norm);
        return norm;
    }
}
