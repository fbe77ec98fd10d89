using System.Globalization;
using TorchSharp;

namespace SaeUnbox.Lab;

/// <summary>
/// One file of collected activations: differences output - input of one site for the items First to End - 1, as the
/// tensor <c>activations</c> [items, h, w, d].
/// </summary>
/// <param name="Path">The safetensors file.</param>
/// <param name="First">Number of its first item.</param>
/// <param name="End">Number behind its last item.</param>
/// <param name="Shape">[items, h, w, d].</param>
public sealed record ActivationShard(string Path, long First, long End, IReadOnlyList<long> Shape)
{
    internal const string TensorName = "activations";

    /// <summary>Grid cells of all items: the vectors a training sees.</summary>
    public long Rows => Shape[0] * Shape[1] * Shape[2];

    public int Width => (int)Shape[3];

    /// <summary>Reads the whole shard as [rows, d] float32.</summary>
    public torch.Tensor ReadRows()
    {
        using var checkpoint = Checkpoint.Open(Path);
        var target = torch.empty([Rows, Width], dtype: torch.ScalarType.Float32);
        using var view = target.view(Shape.ToArray());
        checkpoint.Read(TensorName, view);
        return target;
    }

    internal static string FileName(long first, long end) =>
        string.Create(CultureInfo.InvariantCulture, $"items-{first:D9}-{end:D9}.safetensors");

    /// <summary>The item range of a shard's file name; null for other files.</summary>
    internal static (long First, long End)? ParseName(string path)
    {
        var parts = System.IO.Path.GetFileNameWithoutExtension(path).Split('-');
        return parts.Length == 3 && parts[0] == "items" && path.EndsWith(".safetensors", StringComparison.Ordinal)
            && long.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var first)
            && long.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out var end)
            && first < end
            ? (first, end)
            : null;
    }

    /// <summary>Reads the header of a shard.</summary>
    /// <exception cref="CheckpointException">The file is cut short or broken.</exception>
    /// <exception cref="SaeException">It holds no activations.</exception>
    internal static ActivationShard Open(string path)
    {
        var range = ParseName(path) ?? throw new SaeException($"{path}: not named as a shard of activations.");
        using var checkpoint = Checkpoint.Open(path);
        if (!checkpoint.Entries.TryGetValue(TensorName, out var entry) || entry.Shape.Length != 4)
            throw new SaeException($"{path}: holds no tensor {TensorName} [items, h, w, d].");
        return entry.Shape[0] == range.End - range.First
            ? new ActivationShard(path, range.First, range.End, entry.Shape)
            : throw new SaeException($"{path}: holds {entry.Shape[0]} items, its name says {range.End - range.First}.");
    }
}
