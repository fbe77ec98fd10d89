using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class ShardedCheckpointTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string Index(string map, params (string File, string Tensor)[] shards)
    {
        foreach (var shard in shards.GroupBy(shard => shard.File))
            SafetensorsWriter.Write(_folder.At(shard.Key),
                shard.Select((item, i) => KeyValuePair.Create(item.Tensor, Arithmetic.Full([2], (float)i, torch.float32))));
        var path = _folder.At("model.safetensors.index.json");
        File.WriteAllText(path, $$"""{"metadata":{"total_size":1},"weight_map":{{map}}}""");
        return path;
    }

    [Fact]
    public void Open_IndexOfTwoFiles_ReadsThemAsOne()
    {
        Index("""{"a":"one.safetensors","b":"one.safetensors","c":"two.safetensors"}""", ("one.safetensors", "a"),
            ("one.safetensors", "b"), ("two.safetensors", "c"));
        using var checkpoint = Checkpoint.OpenFolder(_folder.Path);
        Assert.Equal(["a", "b", "c"], checkpoint.Entries.Keys.Order());
        using var read = checkpoint.Read("b");
        Assert.Equal(1f, read[0].item<float>());
        Assert.Equal(3, Inspection.Read(_folder.At("model.safetensors.index.json")).Tensors.Count);
    }

    [Theory]
    [InlineData("""{"a":"one.safetensors","x":"one.safetensors"}""", "x")]
    [InlineData("""{}""", "shards")]
    [InlineData("""{"a":"two.safetensors"}""", "two.safetensors")]
    [InlineData("""{"a":"../one.safetensors"}""", "../one.safetensors")]
    [InlineData("""{"a":"model.safetensors.index.json"}""", "index.json")]
    [InlineData("""{"a":3}""", "index")]
    [InlineData("""[]""", "index")]
    public void Open_IndexThatDoesNotFitItsFiles_IsRejected(string map, string named)
    {
        var path = Index(map, ("one.safetensors", "a"));
        Assert.Contains(named, Assert.Throws<CheckpointException>(() => Checkpoint.Open(path)).Message);
    }

    [Fact]
    public void Open_ShardWithATensorThatIsNotListed_IsRejected()
    {
        var path = Index("""{"a":"one.safetensors"}""", ("one.safetensors", "a"), ("one.safetensors", "stray"));
        Assert.Contains("stray", Assert.Throws<CheckpointException>(() => Checkpoint.Open(path)).Message);
    }

    public void Dispose() => _folder.Dispose();
}
