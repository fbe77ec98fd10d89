using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class GoldenWritersTests : IDisposable
{
    private readonly DisposeScope _scope = torch.NewDisposeScope();
    private readonly WrittenFolder _folder = new();

    public static TheoryData<string> Files() => [.. Directory.EnumerateFiles(Goldens.Root, "*.safetensors", SearchOption.AllDirectories)
        .Select(path => Path.GetRelativePath(Goldens.Root, path)).Where(path => !path.StartsWith("badfiles", StringComparison.Ordinal))];

    [Theory, MemberData(nameof(Files))]
    public void Write_GoldenTensors_ReadBackEqual(string path)
    {
        using var golden = Checkpoint.Open(Goldens.At(path));
        var tensors = golden.Entries.Keys.ToDictionary(name => name, golden.Read);

        SafetensorsWriter.Write(_folder.At(path), tensors);
        TorchFileWriter.Write(_folder.At($"{path}.pt"), tensors);

        foreach (var file in (string[])[path, $"{path}.pt"])
        {
            using var written = Checkpoint.Open(_folder.At(file));
            Assert.Equal(tensors.Keys.Order(StringComparer.Ordinal), written.Entries.Keys.Order(StringComparer.Ordinal));
            foreach (var (name, tensor) in tensors)
            {
                Assert.Equal(tensor.dtype, written.Entries[name].DType);
                TensorAssert.Same(tensor, written.Read(name));
            }
        }
    }

    public void Dispose()
    {
        _folder.Dispose();
        _scope.Dispose();
    }
}
