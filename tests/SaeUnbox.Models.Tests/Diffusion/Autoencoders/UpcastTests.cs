using System.Text.Json.Nodes;
using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Where float16 is computed in, as on a GPU, an autoencoder that leaves its range runs in float32.</summary>
public sealed class UpcastTests
{
    private static readonly Precision Half = new(ScalarType.Float16, ScalarType.Float16, CPU);

    [Theory]
    [InlineData(true, ScalarType.Float32)]
    [InlineData(false, ScalarType.Float16)]
    public void Load_Float16_FollowsForceUpcast(bool forced, ScalarType dtype)
    {
        using var folder = new TemporaryFolder();
        foreach (var file in Directory.GetFiles(Goldens.At("model", "vae")))
            File.Copy(file, folder.At(Path.GetFileName(file)));
        var config = JsonNode.Parse(File.ReadAllText(folder.At("config.json")))!.AsObject();
        config["force_upcast"] = forced;
        File.WriteAllText(folder.At("config.json"), config.ToJsonString());
        var (autoencoder, weights) = Autoencoder.Load(folder.Path, Half);
        using var _ = weights;
        Assert.Equal(dtype, autoencoder.DType);
    }

    [Fact]
    public void Decode_UpcastFromFloat16_EqualsTheDecodeOfRoundedWeights()
    {
        using var scope = NewDisposeScope();
        var (upcast, weights) = Autoencoder.Load(Goldens.At("model", "vae"), Half);
        var (plain, rounded) = Autoencoder.Load(Goldens.At("model", "vae"), Precision.For(ScalarType.Float16, CPU));
        using var one = weights;
        using var other = rounded;
        manual_seed(1);
        var latents = randn([1, upcast.LatentChannels, 3, 5]).to(float16);
        var image = upcast.Decode(latents);
        Assert.Equal(ScalarType.Float32, image.dtype);
        TensorAssert.Same(plain.Decode(latents), image);
    }
}
