using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Steering.Tests;

/// <summary>Dictionaries of a site's output, as SAeUron trains them, against their formulas.</summary>
public sealed class OutputDictionaryTests : IDisposable
{
    private const int Width = 40;

    private readonly TemporaryFolder _folder = new();
    private readonly SaeSet _saes;

    public OutputDictionaryTests()
    {
        TinySd.WriteSaes(_folder.Path);
        _saes = SaeSet.Load(_folder.Path);
    }

    private IFeatureDictionary Sae => _saes[Site.Up(1, 1)];

    [Fact]
    public void Read_TheOutput_IsItsTopFeaturesWhateverTheInput()
    {
        using var scope = NewDisposeScope();
        manual_seed(1);
        var (input, output) = (randn([1, Width, 2, 3]), randn([1, Width, 2, 3]));
        var codes = Expected(output);
        var reading = ActivationReader.Read(Sae, Site.Up(1, 1), 0, input, output);
        for (var cell = 0; cell < 6; cell++)
            for (var rank = 0; rank < reading.K; rank++)
                Assert.Equal(
                    codes[cell][reading.Indices[cell * reading.K + rank]].item<double>(), reading.Values[cell * reading.K + rank], 1e-4);
        var other = ActivationReader.Read(Sae, Site.Up(1, 1), 0, zeros_like(input), output);
        // Where memory lies decides the order of a product's sums, and so their last digits.
        Assert.Equal(reading.Indices, other.Indices);
        Assert.All(Enumerable.Range(0, 6 * reading.K), i => Assert.Equal(reading.Values[i], other.Values[i], 1e-4f));
        Assert.Equal(reading.ExplainedVariance!.Value, other.ExplainedVariance!.Value, 1e-5);
    }

    [Fact]
    public void Scale_MinusOne_TakesTheFeatureOutOfTheOutput()
    {
        using var scope = NewDisposeScope();
        manual_seed(2);
        var (input, output) = (randn([1, Width, 2, 3]), randn([1, Width, 2, 3]));
        var codes = Expected(output);
        var feature = (int)codes[0].argmax().item<long>();
        using var edit = Edits.Scale(Sae, feature, -1);
        var delta = codes.select(1, feature).unsqueeze(1) * Sae.Direction(feature).to_type(float64).unsqueeze(0);
        var expected = output.to_type(float64) - delta.view(1, 2, 3, Width).permute(0, 3, 1, 2);
        TensorAssert.Close(expected, edit.Apply(input, output), 1e-4);
    }

    [Fact]
    public void Reconstruct_TheOutput_LeavesTheInputOut()
    {
        using var scope = NewDisposeScope();
        manual_seed(3);
        var (input, output) = (randn([1, Width, 2, 3]), randn([1, Width, 2, 3]));
        using var edit = Edits.Reconstruct(Sae);
        var made = Expected(output).matmul(Tensor("W_dec")).Plus(Tensor("b_dec"));
        TensorAssert.Close(made.view(1, 2, 3, Width).permute(0, 3, 1, 2), edit.Apply(input, output), 1e-4);
    }

    [Theory]
    [InlineData("""{"k": 4, "activation": "topk"}""", false)]
    [InlineData("""{"k": 4, "sample_topk": false}""", true)]
    [InlineData("""{"k": 4, "batch_topk": true, "output_or_diff": "diff"}""", false)]
    [InlineData("""{"k": 4, "output_or_diff": "output"}""", true)]
    public void Load_Configuration_TellsWhatIsRead(string config, bool readsOutput)
    {
        var path = _folder.At("unet.up_blocks.1.attentions.1");
        File.WriteAllText(Path.Combine(path, "cfg.json"), config);
        using var sae = SaeLoader.Load(path);
        Assert.Equal(readsOutput, sae.ReadsOutput);
        Assert.Equal(readsOutput, DictionaryHeader.TryRead(path)!.ReadsOutput);
    }

    [Fact]
    public void Convert_ToALayoutThatCannotTell_IsRefused() => Assert.Contains("site's output",
        Assert.Throws<SaeException>(() => DictionaryConversion.Run(_folder.Path, _folder.At("to"), "saelens")).Message);

    public void Dispose()
    {
        _saes.Dispose();
        _folder.Dispose();
    }

    /// <summary>relu of the four largest of W (x - b_dec) + b, in float64: [cells, n].</summary>
    private Tensor Expected(Tensor output)
    {
        var x = output.to_type(float64).permute(0, 2, 3, 1).reshape(-1, Width);
        var all = (x - Tensor("b_dec")).matmul(Tensor("encoder.weight").t()).Plus(Tensor("encoder.bias"));
        var (values, indices) = all.topk(4);
        return zeros_like(all).scatter(1, indices, values.relu());
    }

    private Tensor Tensor(string name)
    {
        using var file = Checkpoint.Open(_folder.At("unet.up_blocks.1.attentions.1", "sae.safetensors"));
        return file.Read(name).to_type(float64);
    }
}
