using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class WritersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    [Fact]
    public void Safetensors_EveryTypeAndStride_ReadsBackEqual() =>
        RequireSame("weights.safetensors", (path, tensors) => SafetensorsWriter.Write(path, tensors));

    [Fact]
    public void TorchFile_EveryTypeAndStride_ReadsBackEqual() => RequireSame("weights.pt", TorchFileWriter.Write);

    private void RequireSame(string name, Action<string, Dictionary<string, torch.Tensor>> write)
    {
        var tensors = Samples.EveryType().Concat(Samples.Awkward()).ToDictionary();
        write(_folder.At(name), tensors);

        using var checkpoint = Checkpoint.Open(_folder.At(name));
        Assert.Equal(tensors.Keys.Order(), checkpoint.Entries.Keys.Order());
        foreach (var (key, tensor) in tensors)
        {
            var read = checkpoint.Read(key);
            Assert.Equal(tensor.dtype, read.dtype);
            TensorAssert.Same(tensor, read);
        }
    }

    [Fact]
    public void Safetensors_SameTensors_GivesTheSameBytesAlignedByType()
    {
        var tensors = Samples.EveryType();
        SafetensorsWriter.Write(_folder.At("one.safetensors"), tensors);
        SafetensorsWriter.Write(_folder.At("two.safetensors"), tensors.Reverse());
        Assert.Equal(File.ReadAllBytes(_folder.At("one.safetensors")), File.ReadAllBytes(_folder.At("two.safetensors")));

        using var checkpoint = Checkpoint.Open(_folder.At("one.safetensors"));
        foreach (var (name, entry) in checkpoint.Entries)
            Assert.Equal(0, checkpoint.Locate(name).Position % (entry.Element.Bits / 8));
        Assert.Equal("pt", checkpoint.Metadata["format"]);
    }

    [Fact]
    public void Safetensors_SameNameTwice_IsRefused()
    {
        var pair = KeyValuePair.Create("a", torch.ones([1]));
        var error = Assert.Throws<CheckpointException>(() => SafetensorsWriter.Write(_folder.At("x.safetensors"), [pair, pair]));
        Assert.Contains("'a'", error.Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void TorchFile_ColumnMajorMatrix_StaysColumnMajor()
    {
        var matrix = Arithmetic.Range(0, 12, torch.float32).reshape(4, 3).t();
        TorchFileWriter.Write(_folder.At("m.pt"), new Dictionary<string, torch.Tensor> { ["m"] = matrix });
        using var checkpoint = Checkpoint.Open(_folder.At("m.pt"));
        Assert.Equal([1L, 3L], checkpoint.Read("m").stride());
        TensorAssert.Same(matrix, checkpoint.Read("m"));
    }

    [Fact]
    public void TorchFile_BareTensor_HasTheEmptyName()
    {
        TorchFileWriter.Write(_folder.At("mean.pt"), torch.ones([5]));
        using var checkpoint = Checkpoint.Open(_folder.At("mean.pt"));
        Assert.Equal([5L], Assert.Single(checkpoint.Entries).Value.Shape);
        TensorAssert.Same(torch.ones([5]), checkpoint.Read(""));
    }

    [Fact]
    public void TorchFile_NestedValues_ReadBackAsPlainData()
    {
        var value = new Dictionary<string, object?>
        {
            ["state_dict"] = new Dictionary<string, torch.Tensor> { ["encoder.weight"] = torch.ones([2, 2]) },
            ["step"] = 300,
            ["small"] = -1,
            ["big"] = 1L << 40,
            ["rate"] = 1e-4,
            ["name"] = "ünïcode",
            ["on"] = true,
            ["none"] = null,
            ["list"] = new object?[] { 1, "two", torch.zeros([1]) },
        };
        TorchFileWriter.Write(_folder.At("nested.pt"), value);

        using var checkpoint = Checkpoint.Open(_folder.At("nested.pt"));
        Assert.Equal(["list.2", "state_dict.encoder.weight"], checkpoint.Entries.Keys.Order());
        var root = Assert.IsType<OrderedDictionary<string, object?>>(Assert.IsType<TorchFile>(checkpoint).Root);
        Assert.Equal(value.Keys, root.Keys);
        Assert.Equal(new object?[] { 300L, -1L, 1L << 40, 1e-4, "ünïcode", true, null },
            new[] { "step", "small", "big", "rate", "name", "on", "none" }.Select(key => root[key]));
        Assert.Equal(new object?[] { 1L, "two" }, Assert.IsType<List<object?>>(root["list"]).Take(2));
        var state = Assert.IsType<OrderedDictionary<string, object?>>(root["state_dict"]);
        Assert.Equal("state_dict.encoder.weight", Assert.IsType<TensorEntry>(state["encoder.weight"]).Name);
    }

    [Fact]
    public void TorchFile_ValueOfAnotherKind_IsRefusedBeforeAFileIsMade()
    {
        Assert.Throws<ArgumentException>(() => TorchFileWriter.Write(_folder.At("x.pt"),
            new Dictionary<string, object?> { ["date"] = DateTime.UnixEpoch }));
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }
}
