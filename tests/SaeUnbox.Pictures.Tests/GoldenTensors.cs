using System.Runtime.InteropServices;
using SaeUnbox.Checkpoints;
using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Pictures.Tests;

/// <summary>Tensors of a golden file as plain arrays.</summary>
internal static class GoldenTensors
{
    public static IReadOnlyList<string> Names(params string[] file)
    {
        using var checkpoint = Checkpoint.Open(Goldens.At(file));
        return [.. checkpoint.Entries.Keys];
    }

    public static (T[] Values, int[] Shape) Read<T>(string name, params string[] file)
        where T : unmanaged
    {
        using var scope = torch.NewDisposeScope();
        using var checkpoint = Checkpoint.Open(Goldens.At(file));
        var tensor = checkpoint.Read(name);
        return (MemoryMarshal.Cast<byte, T>(tensor.bytes).ToArray(), [.. tensor.shape.Select(side => (int)side)]);
    }
}
