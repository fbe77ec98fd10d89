using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>Each kind of activation and each treatment of the input, against its formula written out.</summary>
public class KindTests
{
    private const int Features = 24, Width = 8, Groups = 4;

    [Theory]
    [InlineData("SAELens")]
    [InlineData("dictionary_learning")]
    public void Encode_JumpRelu_KeepsValuesAboveEachThreshold(string layout)
    {
        using var scope = NewDisposeScope();
        var (it, x, thresholds) = (Numbers(), Inputs(), rand([Features], generator: new Generator(9)));
        var tensors = Rows(it);
        tensors["threshold"] = thresholds;
        using var folder = new TemporaryFolder();
        if (layout == "SAELens")
            WriteLens(folder, tensors, """{"architecture": "jumprelu", "d_in": 8, "d_sae": 24, "apply_b_dec_to_input": false}""");
        else
            WrittenLayouts.Torch(folder.Path, "ae.pt", tensors, """{"trainer": {"dict_class": "JumpReluAutoEncoder"}}""");
        var pre = nn.functional.linear(x, it.Encoder, it.LatentBias);
        AssertCodes(folder, x, pre.relu() * pre.gt(thresholds).to(ScalarType.Float32), it.Directions, it.Bias);
    }

    [Theory]
    [InlineData("SAELens", false)]
    [InlineData("dictionary_learning", false)]
    [InlineData("RE-N-Y", true)]
    public void Encode_Gated_MultipliesGateAndMagnitude(string layout, bool folds)
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(length: 2), Inputs());
        var (gate, magnitude, scale) = (Draw(1), Draw(2), Draw(3).Times(0.3));
        using var folder = new TemporaryFolder();
        if (layout == "SAELens")
        {
            var tensors = Rows(it);
            tensors.Remove("b_enc");
            (tensors["b_gate"], tensors["b_mag"], tensors["r_mag"]) = (gate, magnitude, scale);
            WriteLens(folder, tensors, """{"architecture": "gated"}""");
        }
        else
        {
            Dictionary<string, object?> tensors = new()
            {
                ["encoder.weight"] = it.Encoder,
                ["decoder.weight"] = it.Directions.t(),
                ["decoder_bias"] = it.Bias,
                ["gate_bias"] = gate,
                ["mag_bias"] = magnitude,
                ["r_mag"] = scale,
            };
            if (layout == "RE-N-Y")
                WrittenLayouts.Safetensors(folder.Path, "model.safetensors", tensors, "config.json", """{"features": 8, "pages": 24}""");
            else
                WrittenLayouts.Torch(folder.Path, "ae.pt", tensors, null);
        }

        var pre = nn.functional.linear(x - it.Bias, it.Encoder);
        var dense = pre.Plus(gate).IsAbove(0).to(ScalarType.Float32) * (pre * scale.exp()).Plus(magnitude).relu();
        AssertCodes(folder, x, folds ? dense.Times(2) : dense, folds ? it.Directions.Over(2) : it.Directions, it.Bias);
    }

    [Theory]
    [InlineData("SAELens", false)]
    [InlineData("dictionary_learning", false)]
    [InlineData("RE-N-Y", true)]
    public void Encode_Relu_KeepsEveryPositiveValue(string layout, bool folds)
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(length: 2), Inputs());
        using var folder = new TemporaryFolder();
        Dictionary<string, object?> tensors = new()
        {
            ["encoder.weight"] = it.Encoder,
            ["encoder.bias"] = it.LatentBias,
            ["decoder.weight"] = it.Directions.t(),
            ["bias"] = it.Bias,
        };
        if (layout == "SAELens")
            WriteLens(folder, Rows(it), """{"architecture": "standard"}""");
        else if (layout == "RE-N-Y")
            WrittenLayouts.Safetensors(folder.Path, "model.safetensors", tensors, "config.json", """{"features": 8, "pages": 24}""");
        else
            WrittenLayouts.Torch(folder.Path, "ae.pt", tensors, """{"trainer": {"dict_class": "AutoEncoder"}}""");
        var dense = nn.functional.linear(x - it.Bias, it.Encoder, it.LatentBias).relu();
        AssertCodes(folder, x, folds ? dense.Times(2) : dense, folds ? it.Directions.Over(2) : it.Directions, it.Bias);
    }

    [Fact]
    public void Encode_AutoEncoderNew_HasABiasAtTheOutputOnly()
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(), Inputs());
        using var folder = new TemporaryFolder();
        WrittenLayouts.Torch(folder.Path, "ae.pt", new()
        {
            ["encoder.weight"] = it.Encoder,
            ["encoder.bias"] = it.LatentBias,
            ["decoder.weight"] = it.Directions.t(),
            ["decoder.bias"] = it.Bias,
        }, """{"trainer": {"dict_class": "AutoEncoderNew"}}""");
        AssertCodes(folder, x, nn.functional.linear(x, it.Encoder, it.LatentBias).relu(), it.Directions, it.Bias);
    }

    [Theory]
    [InlineData("BatchTopKSAE")]
    [InlineData("MatryoshkaBatchTopKSAE")]
    public void Encode_BatchTopKWithThreshold_SelectsByThreshold(string kind)
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(), Inputs());
        using var folder = new TemporaryFolder();
        Dictionary<string, object?> tensors = kind == "BatchTopKSAE"
            ? new()
            {
                ["encoder.weight"] = it.Encoder,
                ["encoder.bias"] = it.LatentBias,
                ["decoder.weight"] = it.Directions.t(),
                ["b_dec"] = it.Bias,
            }
            : new(Rows(it)) { ["group_sizes"] = tensor(new[] { 4, 8, 12 }) };
        (tensors["k"], tensors["threshold"]) = (tensor(3), tensor(0.5f));
        WrittenLayouts.Torch(folder.Path, "ae.pt", tensors, $$$"""{"trainer": {"dict_class": "{{{kind}}}", "k": 3} }""");
        var pre = nn.functional.linear(x - it.Bias, it.Encoder, it.LatentBias);
        AssertCodes(folder, x, pre.relu() * pre.IsAbove(0.5).to(ScalarType.Float32), it.Directions, it.Bias);
        using var sae = SaeLoader.Load(folder.Path);
        Assert.Equal(kind == "BatchTopKSAE" ? null : [4, 12, 24], sae.Config.PrefixSizes);
    }

    [Fact]
    public void Encode_GroupMax_TakesTheLargestOfEachGroup()
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(), Inputs());
        using var folder = new TemporaryFolder();
        WriteSparsify(folder, it, $$"""{"k": {{Groups}}, "activation": "groupmax"}""");
        var pre = nn.functional.linear(x - it.Bias, it.Encoder, it.LatentBias).relu().view(-1, Groups, Features / Groups);
        var isLargest = pre.eq(pre.amax([-1], keepdim: true)).to(ScalarType.Float32);
        AssertCodes(folder, x, (pre * isLargest).view(-1, Features), it.Directions, it.Bias);
    }

    [Fact]
    public void Encode_Transcode_SubtractsNoBias()
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(), Inputs());
        using var folder = new TemporaryFolder();
        WriteSparsify(folder, it, """{"k": 24, "transcode": true}""");
        AssertCodes(folder, x, nn.functional.linear(x, it.Encoder, it.LatentBias).relu(), it.Directions, it.Bias);
    }

    [Theory]
    [InlineData("layer_norm")]
    [InlineData("input_unit_norm")]
    [InlineData("constant_norm_rescale")]
    public void Encode_NormalisedInput_IsUndoneAfterDecoding(string kind)
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(), Inputs());
        using var folder = new TemporaryFolder();
        if (kind == "input_unit_norm")
            WriteSparsify(folder, it, """{"k": 24, "input_unit_norm": true}""");
        else
            WriteLens(folder, Rows(it), $$"""{"architecture": "standard", "normalize_activations": "{{kind}}"}""");

        var (mean, factor) = kind == "constant_norm_rescale"
            ? (zeros([x.shape[0], 1]), x.norm(1, keepdim: true).Over(Math.Sqrt(Width)))
            : (x.mean([-1], keepdim: true), x.std(-1, unbiased: true, keepdim: true));
        var normalised = (x - mean) / (kind == "constant_norm_rescale" ? factor : factor.Plus(1e-5));
        var dense = nn.functional.linear(normalised - it.Bias, it.Encoder, it.LatentBias).relu();

        using var sae = SaeLoader.Load(folder.Path);
        using var codes = sae.Encode(x);
        TensorAssert.Close(dense, codes.ToDense(), 1e-4, "codes");
        TensorAssert.Close((matmul(dense, it.Directions).Plus(it.Bias) * factor).Plus(mean), sae.Decode(codes), 1e-3, "reconstruction");
        TensorAssert.Close(dense * factor, (codes with { Values = codes.Contributions(), Frame = null }).ToDense(), 1e-3, "contributions");
    }

    [Fact]
    public void Scale_NormalisedInput_RemovesTheWholeContribution()
    {
        using var scope = NewDisposeScope();
        var it = Numbers();
        using var folder = new TemporaryFolder();
        WriteLens(folder, Rows(it), """{"architecture": "standard", "normalize_activations": "layer_norm"}""");
        using var sae = SaeLoader.Load(folder.Path);
        var output = randn([1, Width, 2, 3], generator: new Generator(8)).Times(5);
        var input = zeros_like(output);
        using var codes = sae.Encode(output.permute(0, 2, 3, 1));
        var feature = (int)codes.Indices.reshape(-1)[0].item<long>();
        using var edit = Edits.Scale(sae, feature, -1);
        var removed = output - edit.Apply(input, output);
        using var without = codes with { Values = codes.Values * codes.Indices.Is(feature).logical_not().to(ScalarType.Float32) };
        TensorAssert.Close((sae.Decode(codes) - sae.Decode(without)).permute(0, 3, 1, 2), removed, 1e-3);
    }

    [Fact]
    public void Load_RescaledByDecoderNorm_ScalesByLength()
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(length: 3), Inputs());
        var lengths = it.Directions.norm(1);
        using var folder = new TemporaryFolder();
        WriteLens(folder, Rows(it), """{"architecture": "topk", "k": 4, "rescale_acts_by_decoder_norm": true}""");
        var (top, where) = (nn.functional.linear(x - it.Bias, it.Encoder, it.LatentBias) * lengths).topk(4);
        var dense = zeros([x.shape[0], Features]).scatter(-1, where, top.relu());
        AssertCodes(folder, x, dense, it.Directions / lengths.unsqueeze(1), it.Bias);
    }

    [Fact]
    public void Load_PendingScale_IsFoldedIntoTheWeights()
    {
        using var scope = NewDisposeScope();
        var (it, x) = (Numbers(), Inputs());
        using var folder = new TemporaryFolder();
        WriteLens(folder, Rows(it), """{"architecture": "standard", "normalize_activations": "expected_average_only_in"}""");
        File.WriteAllText(folder.At("activation_scaler.json"), """{"scaling_factor": 0.25}""");
        var dense = nn.functional.linear(x.Times(0.25) - it.Bias, it.Encoder, it.LatentBias).relu();
        AssertCodes(folder, x, dense, it.Directions.Times(4), it.Bias.Times(4));
    }

    [Theory]
    [InlineData("""{"architecture": "transcoder"}""", "transcoder")]
    [InlineData("""{"architecture": "standard", "activation_fn": "tanh-relu"}""", "tanh-relu")]
    [InlineData("""{"architecture": "standard", "normalize_activations": "other"}""", "normalize_activations")]
    [InlineData("""{"architecture": "topk"}""", "--sae-k")]
    [InlineData("""{"architecture": "topk", "k": 25}""", "1 to 24")]
    [InlineData("""{"architecture": "standard", "d_in": 9}""", "d_in is 9")]
    public void Load_UnusableFile_IsNamed(string config, string named)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        WriteLens(folder, Rows(Numbers()), config);
        Assert.Contains(named, Assert.Throws<SaeException>(() => SaeLoader.Load(folder.Path)).Message);
    }

    [Fact]
    public void Load_TensorsThatDoNotFit_ListsMissingMisshapenAndUnknown()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var tensors = Rows(Numbers());
        tensors.Remove("b_enc");
        (tensors["b_dec"], tensors["b_more"]) = (zeros([Width + 1]), zeros([1]));
        WriteLens(folder, tensors, """{"architecture": "standard"}""");
        var message = Assert.Throws<CheckpointException>(() => SaeLoader.Load(folder.Path)).Message;
        Assert.Contains("b_enc is missing", message);
        Assert.Contains("b_dec is [9], expected is [8]", message);
        Assert.Contains("b_more is unknown", message);
    }

    private static void AssertCodes(TemporaryFolder folder, Tensor x, Tensor dense, Tensor directions, Tensor bias)
    {
        using var sae = SaeLoader.Load(folder.Path);
        using var codes = sae.Encode(x);
        Assert.True(dense.IsAbove(0).any().item<bool>());
        TensorAssert.Close(dense, codes.ToDense(), 1e-4, "codes");
        TensorAssert.Close(matmul(dense, directions).Plus(bias), sae.Decode(codes), 1e-3, "reconstruction");
        TensorAssert.Close(directions, sae.Dictionary, 1e-5, "directions");
    }

    private static DictionaryNumbers Numbers(float length = 1)
    {
        var numbers = DictionaryNumbers.Random(Features, Width, 4, seed: 11);
        return numbers with { Directions = numbers.Directions.Times(length) };
    }

    private static Tensor Inputs() => randn([13, Width], generator: new Generator(12)).Times(2);

    private static Tensor Draw(ulong seed) => randn([Features], generator: new Generator(seed));

    private static Dictionary<string, object?> Rows(DictionaryNumbers it) => new()
    {
        ["W_enc"] = it.Encoder.t().contiguous(),
        ["b_enc"] = it.LatentBias,
        ["W_dec"] = it.Directions,
        ["b_dec"] = it.Bias,
    };

    private static void WriteLens(TemporaryFolder folder, Dictionary<string, object?> tensors, string config) =>
        WrittenLayouts.Safetensors(folder.Path, "sae_weights.safetensors", tensors, "cfg.json", config);

    private static void WriteSparsify(TemporaryFolder folder, DictionaryNumbers it, string config) =>
        WrittenLayouts.Safetensors(folder.Path, "sae.safetensors", new()
        {
            ["encoder.weight"] = it.Encoder,
            ["encoder.bias"] = it.LatentBias,
            ["W_dec"] = it.Directions,
            ["b_dec"] = it.Bias,
        }, "cfg.json", config);
}
