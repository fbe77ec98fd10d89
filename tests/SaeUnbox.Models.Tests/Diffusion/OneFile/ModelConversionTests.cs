using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class ModelConversionTests : IDisposable
{
    private static readonly string Model = Goldens.At("model");

    private readonly TemporaryFolder _folder = new();

    private string File => _folder.At("model.safetensors");

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void ToFolder_FileOfAFolder_HasEqualTensorsAndConfigurations()
    {
        ModelConversion.ToFile(Model, File);
        ModelConversion.ToFolder(File, _folder.At("back"), new() { TokenizerFolder = Model });
        AssertSameTensors(Model, _folder.At("back"));
        foreach (var (part, name) in ((string, string)[])[
            ("scheduler", "scheduler_config.json"),
            ("unet", "config.json"),
            ("vae", "config.json")
        ])
            Assert.Equal(
                JsonConfig.Load(Goldens.At("model", part, name)).ToObject().ToJsonString(),
                JsonConfig.Load(_folder.At("back", part, name)).ToObject().ToJsonString());
        foreach (var part in (string[])["tokenizer", "tokenizer_2"])
            Assert.True(ClipTokenizer.Load(Goldens.At("model", part)).IsSameAs(ClipTokenizer.Load(_folder.At("back", part))));
    }

    [Fact]
    public void ToFile_FolderOfAFile_HasEqualBytes()
    {
        ModelConversion.ToFile(Model, File);
        ModelConversion.ToFolder(File, _folder.At("back"), new() { TokenizerFolder = Model });
        ModelConversion.ToFile(_folder.At("back"), _folder.At("again.safetensors"));
        Assert.Equal(System.IO.File.ReadAllBytes(File), System.IO.File.ReadAllBytes(_folder.At("again.safetensors")));
    }

    [Fact]
    public void ToFile_SecondTextEncoder_HasTheShapesOfOpenClip()
    {
        ModelConversion.ToFile(Model, File);
        using var file = Checkpoint.Open(File);
        using var folder = Checkpoint.OpenFolder(Goldens.At("model", "text_encoder_2"));
        using var scope = NewDisposeScope();
        var fused = file.Read("conditioner.embedders.1.model.transformer.resblocks.1.attn.in_proj_weight");
        var key = folder.Read("text_model.encoder.layers.1.self_attn.k_proj.weight");
        TensorAssert.Same(key, fused.narrow(0, key.shape[0], key.shape[0]));
        TensorAssert.Same(
            folder.Read("text_projection.weight").t(), file.Read("conditioner.embedders.1.model.text_projection"));
    }

    [Fact]
    public void ToFolder_Cancelled_LeavesNothing()
    {
        using var cancelled = new CancellationTokenSource();
        var options = new ModelConversionOptions
        {
            Progress = share =>
            {
                if (share > 0.5)
                    cancelled.Cancel();
            },
            Cancellation = cancelled.Token,
        };
        Assert.Throws<OperationCanceledException>(() => ModelConversion.ToFolder(Model, _folder.At("copy"), options));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void ToFile_Cancelled_LeavesNothing()
    {
        var options = new ModelConversionOptions { Cancellation = new CancellationToken(canceled: true) };
        Assert.Throws<OperationCanceledException>(() => ModelConversion.ToFile(Model, File, options));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void ToFolder_FolderInUse_KeepsIt()
    {
        Directory.CreateDirectory(_folder.At("copy"));
        System.IO.File.WriteAllText(_folder.At("copy", "mine"), "");
        Assert.Contains("exists", Assert.Throws<CheckpointException>(() => ModelConversion.ToFolder(Model, _folder.At("copy"))).Message);
        Assert.Equal(
            [_folder.At("copy"), _folder.At("copy", "mine")],
            Directory.EnumerateFileSystemEntries(_folder.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal));
    }

    private static void AssertSameTensors(string expected, string actual)
    {
        foreach (var part in (string[])["unet", "vae", "text_encoder", "text_encoder_2"])
        {
            using var left = Checkpoint.OpenFolder(Path.Combine(expected, part));
            using var right = Checkpoint.OpenFolder(Path.Combine(actual, part));
            Assert.Equal(left.Entries.Keys.Order(StringComparer.Ordinal), right.Entries.Keys.Order(StringComparer.Ordinal));
            foreach (var name in left.Entries.Keys)
            {
                using var scope = NewDisposeScope();
                var (one, other) = (left.Read(name), right.Read(name));
                Assert.Equal(one.dtype, other.dtype);
                Assert.True(one.bytes.SequenceEqual(other.bytes), $"{part}: {name}");
            }
        }
    }
}
