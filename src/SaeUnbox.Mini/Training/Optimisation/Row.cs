using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// Many tensors as one row of numbers, and back: a step over a row is a few operations, whatever the number of tensors, which is what
/// counts on a GPU.
/// </summary>
internal static class Row
{
    /// <summary>All numbers, one tensor after the other.</summary>
    public static Tensor Of(IEnumerable<Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        return cat(tensors.Select(tensor => tensor.flatten()).ToArray()).MoveToOuterDisposeScope();
    }

    public static Tensor Zeros(IReadOnlyList<KeyValuePair<string, Tensor>> like) =>
        zeros([like.Sum(tensor => tensor.Value.numel())], device: like[0].Value.device).DetachFromDisposeScope();

    /// <summary>The parts of a row in the shapes of the given tensors, as views under their names.</summary>
    public static IEnumerable<KeyValuePair<string, Tensor>> Parts(Tensor row, IReadOnlyList<KeyValuePair<string, Tensor>> like, string prefix = "")
    {
        long start = 0;
        foreach (var (name, tensor) in like)
        {
            using var part = row.narrow(0, start, tensor.numel());
            yield return new(prefix + name, part.view(tensor.shape));
            start += tensor.numel();
        }
    }

    /// <summary>Gives the tensors the row's numbers.</summary>
    public static void CopyTo(Tensor row, IReadOnlyList<KeyValuePair<string, Tensor>> tensors)
    {
        using var scope = NewDisposeScope();
        foreach (var (part, tensor) in Parts(row, tensors).Zip(tensors))
            tensor.Value.copy_(part.Value);
    }
}

/// <summary>Names for the tensors that are trained: those of the checkpoint, and for a fused one that of its first part.</summary>
internal static class NamedTensors
{
    public static IReadOnlyList<KeyValuePair<string, Tensor>> Of(Weights weights, string prefix)
    {
        var names = new Dictionary<Tensor, string>(ReferenceEqualityComparer.Instance);
        foreach (var (name, tensor) in weights.Tensors)
            names[tensor] = name;
        var fused = 0;
        return [.. weights.Leaves.Select(leaf => KeyValuePair.Create(prefix + (names.TryGetValue(leaf, out var name) ? name : $"fused.{fused++}"), leaf))];
    }
}
