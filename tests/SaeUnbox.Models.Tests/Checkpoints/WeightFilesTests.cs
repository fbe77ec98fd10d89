using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

public sealed class WeightFilesTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData("diffusion_pytorch_model.safetensors")]
    [InlineData("diffusion_pytorch_model.fp16.safetensors")]
    [InlineData("model.bf16.safetensors")]
    [InlineData("model.fp32.safetensors")]
    [InlineData("diffusion_pytorch_model.non_ema.safetensors")]
    [InlineData("pytorch_model.bin")]
    [InlineData("pytorch_model.fp16.bin")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("model.fp16.safetensors.index.json")]
    [InlineData("diffusion_pytorch_model.safetensors.fp16.index.json")]
    [InlineData("diffusion_pytorch_model.safetensors.index.bf16.json")]
    [InlineData("pytorch_model.bin.index.json")]
    public void Find_OnlyFileOfItsKind_IsUsedForEitherPreference(string name)
    {
        Put("config.json", "model.onnx", "openvino_model.bin", "model-00001-of-00002.safetensors", name);
        Assert.Equal(_folder.At(name), WeightFiles.Find(_folder.Path, preferHalf: false));
        Assert.Equal(_folder.At(name), WeightFiles.Find(_folder.Path, preferHalf: true));
    }

    [Theory]
    [InlineData(false, "model.safetensors", "model.fp16.safetensors")]
    [InlineData(true, "model.fp16.safetensors", "model.safetensors")]
    [InlineData(false, "model.fp32.safetensors", "model.fp16.safetensors")]
    [InlineData(false, "model.fp16.safetensors", "model.bf16.safetensors")]
    [InlineData(true, "model.safetensors", "model.bf16.safetensors")]
    [InlineData(false, "model.bf16.safetensors", "model.non_ema.safetensors")]
    [InlineData(false, "model.safetensors", "pytorch_model.bin")]
    [InlineData(false, "model.safetensors", "model.safetensors.index.json")]
    [InlineData(true, "model.safetensors.index.fp16.json", "model.safetensors")]
    public void Find_TwoFiles_PrefersTheBetter(bool preferHalf, string better, string other)
    {
        Put(other, better);
        Assert.Equal(_folder.At(better), WeightFiles.Find(_folder.Path, preferHalf));
    }

    [Fact]
    public void Find_NoKnownName_ListsTheFiles()
    {
        Put("config.json", "weights.safetensors", "unet.gguf");
        var message = Assert.Throws<CheckpointException>(() => WeightFiles.Find(_folder.Path, false)).Message;
        Assert.Contains("its files are config.json, unet.gguf, weights.safetensors", message);
    }

    [Fact]
    public void Find_ShardsWithoutIndex_SaysWhatIsMissing()
    {
        Put("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors");
        Assert.Contains("index of the shards is missing",
            Assert.Throws<CheckpointException>(() => WeightFiles.Find(_folder.Path, false)).Message);
    }

    [Fact]
    public void Find_EmptyFolder_SaysSo() =>
        Assert.Contains("no file in it", Assert.Throws<CheckpointException>(() => WeightFiles.Find(_folder.Path, false)).Message);

    public void Dispose() => _folder.Dispose();

    private void Put(params string[] names)
    {
        foreach (var name in names)
            File.WriteAllText(_folder.At(name), "");
    }
}
