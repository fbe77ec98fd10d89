using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Whole modules whose hidden pictures lie far from zero, against the same module in float64.</summary>
public sealed class LargeBiasTests
{
    private const double Offset = 100;

    [Fact]
    public void UNet_LargeBiases_MatchesFloat64()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        using var recorded = Checkpoint.Open(Goldens.At("unet.safetensors"));
        var name = recorded.Entries.Keys.Select(key => key.Split('/')[0]).Order().First();
        AssertNear(Forward(float64), Forward(float32));

        Tensor Forward(ScalarType dtype)
        {
            using var file = Checkpoint.OpenFolder(Goldens.At("model", "unet"));
            using var weights = new Weights(file, dtype);
            var unet = new UNet(weights, UNetConfig.From(JsonConfig.Load(Goldens.At("model", "unet", "config.json"))));
            weights.Load();
            Offsets(weights);
            using var conditioning = unet.Prepare(Part("encoder_hidden_states"), Part("text_embeds"), Part("time_ids"));
            return unet.Forward(Part("sample"), Part("timestep"), conditioning);

            Tensor Part(string part) => recorded.Read($"{name}/{part}");
        }
    }

    [Fact]
    public void Decoder_LargeBiases_MatchesFloat64()
    {
        using var mode = no_grad();
        using var scope = NewDisposeScope();
        using var recorded = Checkpoint.Open(Goldens.At("vae.safetensors"));
        AssertNear(Decode(float64), Decode(float32));

        Tensor Decode(ScalarType dtype)
        {
            using var file = Checkpoint.OpenFolder(Goldens.At("model", "vae"));
            using var weights = new Weights(RenamedSource.WithPresentAttentionNames(file), dtype);
            var config = AutoencoderKLConfig.From(JsonConfig.Load(Goldens.At("model", "vae", "config.json")));
            var decoder = new AutoencoderKL(weights, config);
            weights.Load();
            Offsets(weights);
            return decoder.Decode(recorded.Read("kl/latents"));
        }
    }

    // Of the convolutions before a norm.
    private static void Offsets(Weights weights)
    {
        var biases = weights.Tensors.Where(pair => pair.Key.EndsWith("conv1.bias", StringComparison.Ordinal)
            || pair.Key.EndsWith("conv_in.bias", StringComparison.Ordinal))
            .ToList();
        Assert.NotEmpty(biases);
        foreach (var (_, bias) in biases)
            bias.AddInPlace(Offset);
    }

    private static void AssertNear(Tensor exact, Tensor result)
    {
        Assert.Equal(float32, result.dtype);
        var off = ((result.to_type(float64) - exact.to_type(float64)).abs().max() / exact.to_type(float64).abs().max()).item<double>();
        Assert.True(off <= 2e-5, $"{off} of the largest value");
    }
}
