using System.Text.Json.Nodes;
using SaeUnbox.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class LoraTests : IDisposable
{
    private const string Attention = "down_blocks.2.attentions.1.transformer_blocks.0.attn";
    private const string Query = $"unet.{Attention}1.to_q";
    private const string TextAttention = "text_model.encoder.layers.1.self_attn";

    private static readonly ImageRequest Request = new() { Prompts = ["a red dog"], Seeds = [5], Height = 64, Width = 64 };

    private static readonly string Model = Goldens.At("model");

    private static readonly byte[] Plain = PixelsOf(Model);

    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = NewDisposeScope();

    private string File => _folder.At("style.safetensors");

    public static TheoryData<string> Forms => [.. WrittenLora.Forms.Keys];

    private static LoraTarget[] Attentions =>
    [
        new("unet", $"{Attention}1.to_q", [40, 40], Alpha: 1),
        new("unet", $"{Attention}1.to_out.0", [40, 40], Alpha: 4),
        new("unet", "up_blocks.0.attentions.2.transformer_blocks.1.attn2.to_v", [40, 72]),
        new("unet", "mid_block.attentions.0.transformer_blocks.0.attn1.to_k", [40, 40]),
        new("text_encoder", $"{TextAttention}.q_proj", [32, 32], Rank: 4),
        new("text_encoder_2", $"{TextAttention}.out_proj", [40, 40]),
    ];

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Load_EveryFormOfNames_MakesTheSamePixels(string form)
    {
        WrittenLora.Write(_folder.At("peft.safetensors"), "peft", Attentions);
        WrittenLora.Write(File, form, Attentions);
        var notes = new List<string>();
        var pixels = PixelsOf(Model, new() { Loras = [new(File)], Note = notes.Add });
        Assert.NotEqual(Plain, pixels);
        Assert.Equal(PixelsOf(Model, new() { Loras = [new(_folder.At("peft.safetensors"))] }), pixels);
        Assert.Equal(["style.safetensors: 6 of 6 modules merged."], notes);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Load_ModelOfOneTextEncoder_TakesEveryFormOfNames(string form)
    {
        TinySd.WriteFirst(_folder.At("tiny"), TinySd.Turbo);
        LoraTarget[] targets =
        [
            new("unet", "down_blocks.0.attentions.1.transformer_blocks.0.attn1.to_q", [16, 16]),
            new("unet", "up_blocks.3.attentions.2.transformer_blocks.0.attn2.to_out.0", [16, 16]),
            new("text_encoder", $"{TextAttention}.q_proj", [32, 32]),
        ];
        WrittenLora.Write(_folder.At("peft.safetensors"), "peft", targets);
        WrittenLora.Write(File, form, targets);
        var notes = new List<string>();
        var pixels = PixelsOf(_folder.At("tiny"), new() { Loras = [new(File)], Note = notes.Add });
        Assert.NotEqual(PixelsOf(_folder.At("tiny")), pixels);
        Assert.Equal(PixelsOf(_folder.At("tiny"), new() { Loras = [new(_folder.At("peft.safetensors"))] }), pixels);
        Assert.Equal(["style.safetensors: 3 of 3 modules merged."], notes);
    }

    [Fact]
    public void Load_NamesOfTheUNetAlone_AreFound()
    {
        // Its alpha is half its rank, and this file has none.
        var target = Attentions[0];
        SafetensorsWriter.Write(File, new Dictionary<string, Tensor>
        {
            [$"base_model.model.{target.Module}.lora_A.weight"] = target.Down,
            [$"base_model.model.{target.Module}.lora_B.weight"] = target.Up,
        });
        AssertMerged(target, target.Delta(4), new LoraFile(File, 2));
    }

    // PEFT writes the settings beside the file; diffusers writes them into its header, for each network.
    [Theory]
    [InlineData("peft", false, 8)]
    [InlineData("peft", true, 16)]
    [InlineData("diffusers", false, 8)]
    [InlineData("diffusers", true, 16)]
    public void Read_AlphaInTheSettings_IsTheFormula(string writer, bool isStabilised, double alpha)
    {
        var target = new LoraTarget("unet", $"{Attention}1.to_q", [40, 40], Rank: 4, Alpha: alpha);
        var path = WriteWithSettings(target, writer, new() { ["r"] = 4, ["lora_alpha"] = 8, ["use_rslora"] = isStabilised });

        AssertMerged(target, target.Delta(0.5), new LoraFile(path, 0.5));
    }

    [Fact]
    public void Load_AlphasOfSingleModules_AreRefused()
    {
        var path = WriteWithSettings(Attentions[0], "peft", new() { ["alpha_pattern"] = new JsonObject { ["to_q"] = 2 } });

        Assert.Contains("alpha_pattern must be empty",
            Assert.Throws<ModelException>(() => PixelsOf(Model, new() { Loras = [new(path)] })).Message);
    }

    [Fact]
    public void Fingerprint_SettingsBesideTheFile_CountToo()
    {
        var path = WriteWithSettings(Attentions[0], "peft", new() { ["lora_alpha"] = 8 });
        var before = new LoraFile(path).Fingerprint();
        WriteWithSettings(Attentions[0], "peft", new() { ["lora_alpha"] = 9 });

        Assert.NotEqual(before, new LoraFile(path).Fingerprint());
    }

    private string WriteWithSettings(LoraTarget target, string writer, JsonObject settings)
    {
        var path = _folder.At("adapter_model.safetensors");
        var module = writer == "peft" ? $"base_model.model.{target.Module}" : $"unet.{target.Module}";
        var tensors = new Dictionary<string, Tensor> { [$"{module}.lora_A.weight"] = target.Down, [$"{module}.lora_B.weight"] = target.Up };
        if (writer == "peft")
        {
            System.IO.File.WriteAllText(_folder.At("adapter_config.json"), settings.ToJsonString());
            SafetensorsWriter.Write(path, tensors);
            return path;
        }

        var named = new JsonObject(settings.Select(one => KeyValuePair.Create($"unet.{one.Key}", one.Value?.DeepClone())));
        SafetensorsWriter.Write(path, tensors, new Dictionary<string, string> { ["lora_adapter_metadata"] = named.ToJsonString() });
        return path;
    }

    [Fact]
    public void Read_LinearWeight_IsTheFormula()
    {
        var target = new LoraTarget("unet", $"{Attention}1.to_q", [40, 40], Rank: 4, Alpha: 2);
        WrittenLora.Write(File, "kohya", target);
        AssertMerged(target, target.Delta(0.75), new LoraFile(File, 0.75));
    }

    [Theory]
    [InlineData("down_blocks.1.resnets.0.conv_shortcut", 24, 16, 1)]
    [InlineData("down_blocks.0.downsamplers.0.conv", 16, 16, 3)]
    public void Read_Convolution_IsTheFormula(string module, long rows, long columns, long side)
    {
        var target = new LoraTarget("unet", module, [rows, columns, side, side], Alpha: 0.5);
        WrittenLora.Write(File, "kohya", target);
        AssertMerged(target, target.Delta(-3), new LoraFile(File, -3));
    }

    [Fact]
    public void Read_MatrixWrittenAsConvolution_IsTheFormula()
    {
        var target = new LoraTarget("unet", "mid_block.attentions.0.proj_in", [40, 40]);
        SafetensorsWriter.Write(File, new Dictionary<string, Tensor>
        {
            ["lora_unet_mid_block_attentions_0_proj_in.lora_down.weight"] = target.Down.reshape(2, 40, 1, 1),
            ["lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"] = target.Up.reshape(40, 2, 1, 1),
        });
        AssertMerged(target, target.Delta(1), new LoraFile(File));
    }

    [Fact]
    public void Read_SeveralLoras_AreAdded()
    {
        var one = Attentions[0];
        var other = new LoraTarget(one.Part, one.Module, one.Shape, Rank: 8, Alpha: 2);
        var otherFile = _folder.At("other.safetensors");
        WrittenLora.Write(File, "peft", one);
        WrittenLora.Write(otherFile, "kohya", other);
        AssertMerged(one, one.Delta(0.5).Plus(other.Delta(2)), new LoraFile(File, 0.5), new LoraFile(otherFile, 2));
    }

    [Fact]
    public void Read_Bfloat16_IsRoundedAfterTheSum()
    {
        var target = Attentions[0];
        WrittenLora.Write(File, "peft", target);
        using var parts = ModelParts.Open(Model, new() { Loras = [new(File)] });
        using var part = parts.Open("unet", preferHalf: false);
        var merged = zeros(40, 40, dtype: bfloat16);
        part.Weights.Read($"{target.Module}.weight", merged);
        TensorAssert.Same(Stored(target).Plus(target.Delta(1)).to_type(float32).to_type(bfloat16), merged);
    }

    [Fact]
    public void Load_OneFile_MakesThePixelsOfTheFolder()
    {
        var model = _folder.At("model.safetensors");
        ModelConversion.ToFile(Model, model);
        WrittenLora.Write(File, "kohya", Attentions);
        Assert.Equal(PixelsOf(Model, new() { Loras = [new(File)] }),
            PixelsOf(model, new() { TokenizerFolder = Model, Loras = [new(File)] }));
    }

    [Fact]
    public void Convert_WithLora_WritesTheMergedModel()
    {
        WrittenLora.Write(File, "kohya", Attentions);
        ModelConversion.ToFolder(Model, _folder.At("merged"), new() { Loras = [new(File)], Dtype = Dtype.Fp32 });
        Assert.Equal(PixelsOf(Model, new() { Loras = [new(File)] }), PixelsOf(_folder.At("merged")));
    }

    [Fact]
    public void Load_ScaleZero_MakesThePixelsOfTheModel()
    {
        var target = Attentions[0];
        SafetensorsWriter.Write(File, new Dictionary<string, Tensor>
        {
            [$"unet.{target.Module}.lora_A.weight"] = target.Down.Times(double.PositiveInfinity),
            [$"unet.{target.Module}.lora_B.weight"] = target.Up,
        });
        Assert.Equal(Plain, PixelsOf(Model, new() { Loras = [new(File, 0)] }));
    }

    [Fact]
    public void Load_ModulesOfAnotherModelBeside_AreTold()
    {
        WrittenLora.Write(File, "peft", Attentions[0], new LoraTarget("unet", "down_blocks.7.attentions.0.proj_in", [4, 4]));
        var notes = new List<string>();
        using var parts = ModelParts.Open(Model, new() { Loras = [new(File)], Note = notes.Add });
        Assert.Equal(["style.safetensors: 1 of 2 modules merged; not in this model: unet.down_blocks.7.attentions.0.proj_in."], notes);
    }

    [Fact]
    public void Load_NoModuleOfTheModel_SaysWhatEachHas()
    {
        WrittenLora.Write(File, "kohya", new LoraTarget("unet", "double_blocks.0.img_attn.qkv", [4, 4]));
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(Model, new() { Loras = [new(File)] })).Message;
        Assert.Contains("lora_unet_double_blocks_0_img_attn_qkv", message);
        Assert.Contains("attn1", message);
        Assert.Contains(File, message);
    }

    public static TheoryData<string, string, long[], string, long[]?> BadShapes => new()
    {
        { "which do not fit", $"{Query}.lora_A.weight", [2, 39], $"{Query}.lora_B.weight", [40, 2] },
        { "which do not fit", $"{Query}.lora_A.weight", [2, 40], $"{Query}.lora_B.weight", [41, 2] },
        { "which do not fit", $"{Query}.lora_A.weight", [2, 40, 3, 3], $"{Query}.lora_B.weight", [40, 2, 1, 1] },
        { "not [rank, in]", $"{Query}.lora_A.weight", [2, 40], $"{Query}.lora_B.weight", [40, 3] },
        { "not [rank, in]", $"{Query}.lora_A.weight", [0, 40], $"{Query}.lora_B.weight", [40, 0] },
        { "not [rank, in]", $"{Query}.lora_A.weight", [80], $"{Query}.lora_B.weight", [40, 2] },
        { "only one of the two", $"{Query}.lora_A.weight", [2, 40], "x", null },
        { "two names", $"{Query}.lora_A.weight", [2, 40], $"{Query}.lora.down.weight", [2, 40] },
        { "not a number", $"{Query}.lora_A.weight", [2, 40], $"{Query}.alpha", [2] },
        { "a LoHa", "lora_unet_mid_block_attentions_0_proj_in.hada_w1_a", [40, 2], "lora_unet_mid_block_attentions_0_proj_in.alpha", [] },
        { "a LoKr", "lora_unet_mid_block_attentions_0_proj_in.lokr_w1", [4, 4], "lora_unet_mid_block_attentions_0_proj_in.alpha", [] },
        { "a DoRA", $"{Query}.lora_A.weight", [2, 40], $"{Query}.dora_scale", [40, 1] },
        { "no LoRA", "conv_in.weight", [4, 4], "conv_in.bias", [4] },
    };

    [Theory]
    [MemberData(nameof(BadShapes))]
    public void Load_Unusable_IsRefusedInOneSentence(string why, string name, long[] shape, string otherName, long[]? otherShape)
    {
        var tensors = new Dictionary<string, Tensor> { [name] = ones(shape) };
        if (otherShape is not null)
            tensors[otherName] = ones(otherShape);
        if (otherName.EndsWith("to_q.alpha", StringComparison.Ordinal))
            tensors[otherName.Replace("alpha", "lora_B.weight", StringComparison.Ordinal)] = ones(40, 2);
        SafetensorsWriter.Write(File, tensors);
        var message = Assert.Throws<CheckpointException>(() => DiffusionPipeline.Load(Model, new() { Loras = [new(File)] })).Message;
        Assert.Contains(why, message);
        Assert.Contains(File, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void Load_LoraAsModel_NamesTheOption()
    {
        WrittenLora.Write(File, "kohya", Attentions);
        Assert.Contains("--lora", Assert.Throws<ModelException>(() => DiffusionPipeline.Load(File)).Message);
    }

    [Theory]
    [InlineData("style.safetensors", "style.safetensors", 1)]
    [InlineData("style.safetensors:0.5", "style.safetensors", 0.5)]
    [InlineData("style.safetensors:-2e-1", "style.safetensors", -0.2)]
    [InlineData(@"C:\loras\style.safetensors", @"C:\loras\style.safetensors", 1)]
    [InlineData(@"C:\loras\style.safetensors:0.8", @"C:\loras\style.safetensors", 0.8)]
    [InlineData("style:0,5", "style:0,5", 1)]
    [InlineData("style:NaN", "style:NaN", 1)]
    [InlineData("style:", "style:", 1)]
    public void Parse_FileAndScale_OnlyANumberIsAScale(string text, string path, double scale) =>
        Assert.Equal(new LoraFile(path, scale), LoraFile.Parse(text));

    private static void AssertMerged(LoraTarget target, Tensor delta, params LoraFile[] loras)
    {
        using var parts = ModelParts.Open(Model, new() { Loras = loras });
        using var part = parts.Open(target.Part, preferHalf: false);
        var merged = zeros(target.Shape, dtype: float32);
        part.Weights.Read($"{target.Module}.weight", merged);
        TensorAssert.Same(Stored(target).Plus(delta).to_type(float32), merged);
    }

    private static Tensor Stored(LoraTarget target)
    {
        using var parts = ModelParts.Open(Model, new());
        using var part = parts.Open(target.Part, preferHalf: false);
        return part.Weights.Read($"{target.Module}.weight").to_type(float64);
    }

    private static byte[] PixelsOf(string path, PipelineOptions? options = null)
    {
        using var scope = NewDisposeScope();
        using var pipeline = DiffusionPipeline.Load(path, options);
        return Pixels.ToBytes(pipeline.Generate(Request).Images).bytes.ToArray();
    }
}
