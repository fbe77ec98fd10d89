using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

public class ConversionTests
{
    public static TheoryData<string> Layouts() => [.. DictionaryConversion.Layouts];

    public static TheoryData<string, string> Kinds() => new(
        from layout in DictionaryConversion.Layouts
        from kind in new[] { "TopK", "BatchTopK", "Matryoshka", "OneBias", "JumpReLU", "Gated", "ReLU", "Normalised", "GroupMax" }
        where layout != "sdxl-unbox" || kind is "TopK" or "BatchTopK" or "Matryoshka" or "OneBias"
        where kind != "GroupMax" && (kind != "Normalised" || layout == "saelens")
        select (layout, kind));

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Run_ThenLoad_GivesTheSameCodesAndReconstruction(string layout, string kind)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Write(kind, folder.At("from"));
        using var before = SaeLoader.Load(folder.At("from"));
        SaeWriter.SaveScale(new ActivationScale([.. Enumerable.Range(1, 24).Select(i => (float)i)], null), folder.At("from"));

        Assert.Equal([folder.At("to")], DictionaryConversion.Run(folder.At("from"), folder.At("to"), layout));
        using var after = SaeLoader.Load(folder.At("to"));
        var x = randn([11, 8], generator: new Generator(2)).Times(3);
        using var expected = before.Encode(x);
        using var actual = after.Encode(x);
        TensorAssert.Close(expected.ToDense(), actual.ToDense(), 1e-4, "codes");
        TensorAssert.Close(before.Decode(expected), after.Decode(actual), 1e-4, "reconstruction");
        Assert.Equal(5, after.MeanOf(4));
    }

    [Theory]
    [MemberData(nameof(Layouts))]
    public void Run_GoldenFolder_WritesEverySiteBitForBit(string layout)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var written = DictionaryConversion.Run(Goldens.At("saes"), folder.At("to"), layout);
        using var before = SaeSet.Load(Goldens.At("saes"));
        using var after = SaeSet.Load(folder.At("to"));
        Assert.Equal(before.Count, written.Count);
        foreach (var (site, golden) in before)
        {
            var (one, other) = ((SparseAutoencoder)golden, (SparseAutoencoder)after[site]);
            TensorAssert.Same(one.EncoderWeight, other.EncoderWeight);
            TensorAssert.Same(one.Dictionary, other.Dictionary);
            TensorAssert.Same(one.LatentBias, other.LatentBias);
            TensorAssert.Same(one.PreBias, other.PreBias);
            Assert.Equal(one.Scale!.Mean, other.Scale!.Mean);
            Assert.Equal((one.K, one.Kind), (other.K, other.Kind));
        }
    }

    [Theory]
    [InlineData("sdxl-unbox", "Gated")]
    [InlineData("dictionary_learning", "Normalised")]
    [InlineData("saelens", "GroupMax")]
    public void Run_KindThatTheLayoutLacks_IsRefused(string layout, string kind)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Write(kind, folder.At("from"));
        var error = Assert.Throws<SaeException>(() => DictionaryConversion.Run(folder.At("from"), folder.At("to"), layout));
        Assert.Contains(layout, error.Message);
        Assert.False(Directory.Exists(folder.At("to")));
    }

    [Theory]
    [InlineData("Gated", "Gated", null)]
    [InlineData("TopK", "TopK", 4)]
    [InlineData("BatchTopK", "BatchTopK", null)]
    public void TryRead_Dictionary_GivesKindAndSizes(string kind, string told, int? k)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        Write(kind, folder.At("unet.up_blocks.1.attentions.2"));
        var header = DictionaryHeader.TryRead(folder.At("unet.up_blocks.1.attentions.2"))!;
        Assert.Equal((told, 24, 8, k), (header.Kind, header.Features, header.Width, header.K));
        Assert.Equal("up.1.2", header.Site!.Code);
        Assert.Contains("--write-scale", Assert.Single(header.Missing));
    }

    [Fact]
    public void TryRead_WithoutK_GivesTheRest()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WrittenLayouts.WriteOvercomplete(folder.Path, DictionaryNumbers.Random(24, 8, 4, seed: 1), 0);
        var header = DictionaryHeader.TryRead(folder.Path)!;
        Assert.Equal(("overcomplete", 24, 8, (int?)null), (header.Layout, header.Features, header.Width, header.K));
        Assert.Contains(header.Missing, what => what.Contains("--sae-k", StringComparison.Ordinal));
    }

    [Fact]
    public void TryRead_Model_IsNull() => Assert.Null(DictionaryHeader.TryRead(Goldens.At("model", "unet")));

    private static void Write(string kind, string folder)
    {
        var it = DictionaryNumbers.Random(24, 8, 4, seed: 7);
        Dictionary<string, object?> rows = new()
        {
            ["W_enc"] = it.Encoder.t().contiguous(),
            ["b_enc"] = it.LatentBias,
            ["W_dec"] = it.Directions,
            ["b_dec"] = it.Bias,
        };
        switch (kind)
        {
            case "TopK":
                WrittenLayouts.Write("sdxl-unbox", folder, it);
                break;
            case "OneBias":
                Lens("""{"architecture": "topk", "k": 4, "apply_b_dec_to_input": false}""");
                break;
            case "BatchTopK" or "Matryoshka":
                WrittenLayouts.Write("sdxl-unbox", folder, it);
                File.WriteAllText(Path.Combine(folder, "config.json"),
                    new SaeConfig(24, 8, 4, null, 0, 0.5f, kind == "Matryoshka" ? [6, 24] : null).ToJson());
                break;
            case "JumpReLU":
                rows["threshold"] = rand([24], generator: new Generator(1));
                Lens("""{"architecture": "jumprelu"}""");
                break;
            case "Gated":
                rows.Remove("b_enc");
                foreach (var (name, seed) in new[] { ("b_gate", 1UL), ("b_mag", 2UL), ("r_mag", 3UL) })
                    rows[name] = randn([24], generator: new Generator(seed)).Times(0.3);
                Lens("""{"architecture": "gated", "apply_b_dec_to_input": false}""");
                break;
            case "ReLU":
                Lens("""{"architecture": "standard", "apply_b_dec_to_input": false}""");
                break;
            case "Normalised":
                Lens("""{"architecture": "standard", "normalize_activations": "layer_norm"}""");
                break;
            default:
                WrittenLayouts.Safetensors(folder, "sae.safetensors", new()
                {
                    ["encoder.weight"] = it.Encoder,
                    ["encoder.bias"] = it.LatentBias,
                    ["W_dec"] = it.Directions,
                    ["b_dec"] = it.Bias,
                }, "cfg.json", """{"k": 4, "activation": "groupmax"}""");
                break;
        }

        void Lens(string config) => WrittenLayouts.Safetensors(folder, "sae_weights.safetensors", rows, "cfg.json", config);
    }
}
