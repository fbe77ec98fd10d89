using System.Runtime.InteropServices;
using TorchSharp;

namespace SaeUnbox.Testing;

/// <summary>Tensors of the golden folder's files; a file is named with slashes, such as <c>runs/turbo1.safetensors</c>.</summary>
public static class GoldenTensors
{
    public static torch.Tensor Read(string file, string name) => From(file, checkpoint => checkpoint.Read(name));

    public static bool Has(string file, string name) => From(file, checkpoint => checkpoint.Entries.ContainsKey(name));

    public static long[] Shape(string file, string name) => From(file, checkpoint => checkpoint.Entries[name].Shape);

    public static IReadOnlyList<string> Names(string file) => From(file, checkpoint => checkpoint.Entries.Keys.ToArray());

    /// <summary>A tensor as a plain array of the type it is stored in, and its shape.</summary>
    public static (T[] Values, int[] Shape) Values<T>(string file, string name)
        where T : unmanaged
    {
        using var tensor = Read(file, name);
        return (MemoryMarshal.Cast<byte, T>(tensor.bytes).ToArray(), [.. tensor.shape.Select(side => (int)side)]);
    }

    private static T From<T>(string file, Func<Checkpoint, T> read)
    {
        using var checkpoint = Checkpoint.Open(Goldens.At(file.Split('/')));
        return read(checkpoint);
    }
}
