using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

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
