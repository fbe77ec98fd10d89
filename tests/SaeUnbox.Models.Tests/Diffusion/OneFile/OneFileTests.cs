using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class OneFileTests : IDisposable
{
    private static readonly ImageRequest Request = new() { Prompts = ["a red dog"], Seeds = [5], Height = 64, Width = 64 };

    private static readonly string Model = Goldens.At("model");

    private readonly TemporaryFolder _folder = new();

    private string File => _folder.At("model.safetensors");

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(null)]
    [InlineData(Dtype.Fp32)]
    [InlineData(Dtype.Fp16)]
    [InlineData(Dtype.Bf16)]
    public void Load_FileOfAFolder_GivesTheSamePixels(Dtype? stored)
    {
        ModelConversion.ToFile(Model, File, new() { Dtype = stored });
        ModelConversion.ToFolder(Model, _folder.At("model"), new() { Dtype = stored });
        Assert.Equal(PixelsOf(_folder.At("model")), PixelsOf(File, new() { TokenizerFolder = Model }));
    }

    [Fact]
    public void Load_FileWithoutConfigurations_TakesThemFromTheBase()
    {
        WritePart("", name => true);
        Assert.Equal(PixelsOf(Model), PixelsOf(File, new() { BasePath = Model }));
    }

    [Fact]
    public void Load_FileWithoutConfigurations_AsksForTheBase()
    {
        WritePart("", name => true);
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(File, new() { TokenizerFolder = Model })).Message;
        Assert.Contains("text_encoder", message);
        Assert.Contains("base", message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("model.diffusion_model.")]
    public void Load_UNetAlone_TakesTheRestFromTheBase(string prefix)
    {
        const string own = "model.diffusion_model.";
        WritePart(prefix, name => name.StartsWith(own, StringComparison.Ordinal), own);
        var lender = OtherModel();
        var pixels = PixelsOf(File, new() { BasePath = lender });
        Assert.NotEqual(PixelsOf(lender), pixels);
        System.IO.File.Copy(
            Goldens.At("model", "unet", "diffusion_pytorch_model.safetensors"),
            Path.Combine(lender, "unet", "diffusion_pytorch_model.safetensors"), overwrite: true);
        Assert.Equal(PixelsOf(lender), pixels);
    }

    [Fact]
    public void Load_UNetAloneWithoutBase_NamesItsParts()
    {
        WritePart("", name => name.StartsWith("model.diffusion_model.", StringComparison.Ordinal));
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(File)).Message;
        Assert.Contains("holds U-Net only", message);
        Assert.Contains("base", message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("first_stage_model.")]
    public void Load_AutoencoderFile_EqualsItsFolder(string prefix)
    {
        const string own = "first_stage_model.";
        WritePart(prefix, name => name.StartsWith(own, StringComparison.Ordinal), own);
        Assert.Equal(PixelsOf(Model), PixelsOf(Model, new() { AutoencoderFolder = File }));
    }

    [Fact]
    public void Load_TorchFile_IsReadAsData()
    {
        ModelConversion.ToFile(Model, File);
        var pickle = _folder.At("model.ckpt");
        using (var checkpoint = Checkpoint.Open(File))
        {
            var tensors = checkpoint.Entries.Keys.ToDictionary(name => name, object? (name) => checkpoint.Read(name));
            TorchFileWriter.Write(pickle, new Dictionary<string, object?> { ["state_dict"] = tensors });
        }

        Assert.Equal(PixelsOf(Model), PixelsOf(pickle, new() { BasePath = Model }));
    }

    [Fact]
    public void Load_OtherVocabulary_AsksForTheTokenizer()
    {
        ModelConversion.ToFile(Model, File);
        Assert.Contains("tokenizer", Assert.Throws<ModelException>(() => DiffusionPipeline.Load(File)).Message);
    }

    [Fact]
    public void Load_TensorMissing_NamesIt()
    {
        ModelConversion.ToFile(Model, _folder.At("whole.safetensors"));
        Rewrite(_folder.At("whole.safetensors"),
            name => name.EndsWith("middle_block.2.out_layers.3.bias", StringComparison.Ordinal) ? null : name);
        var message = Assert.Throws<CheckpointException>(() => DiffusionPipeline.Load(File, new() { BasePath = Model })).Message;
        Assert.Contains("mid_block.resnets.1.conv2.bias", message);
    }

    private static byte[] PixelsOf(string path, PipelineOptions? options = null)
    {
        using var scope = NewDisposeScope();
        using var pipeline = DiffusionPipeline.Load(path, options);
        return Pixels.ToBytes(pipeline.Generate(Request).Images).bytes.ToArray();
    }

    /// <summary>The golden model with other weights in each network.</summary>
    private string OtherModel()
    {
        var path = _folder.At("other");
        ModelCopy.To(path);
        foreach (var weights in Directory.EnumerateFiles(path, "*.safetensors", SearchOption.AllDirectories).ToArray())
        {
            using var scope = NewDisposeScope();
            using var checkpoint = Checkpoint.Open(weights);
            var tensors = checkpoint.Entries.Keys.ToDictionary(name => name, name => checkpoint.Read(name).Times(0.5));
            SafetensorsWriter.Write(weights, tensors);
        }

        return path;
    }

    /// <summary>Writes some tensors of the golden model's file, without the configurations.</summary>
    private void WritePart(string prefix, Func<string, bool> keep, string removed = "")
    {
        var whole = _folder.At("whole.safetensors");
        ModelConversion.ToFile(Model, whole);
        Rewrite(whole, name => keep(name) ? prefix + name[removed.Length..] : null);
    }

    private void Rewrite(string source, Func<string, string?> rename)
    {
        using var scope = NewDisposeScope();
        using var checkpoint = Checkpoint.Open(source);
        SafetensorsWriter.Write(File, checkpoint.Entries.Keys.Where(name => rename(name) is not null)
            .Select(name => KeyValuePair.Create(rename(name)!, checkpoint.Read(name))).ToList());
    }
}
