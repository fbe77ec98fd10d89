using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class AutoencoderGoldenTests
{
    private static readonly Checkpoint File = Checkpoint.Open(Goldens.At("vae.safetensors"));

    [Fact]
    public void Decode_KL_GivesTheReferenceImage()
    {
        using var scope = NewDisposeScope();
        var decoded = Load("model", "vae").Decode(File.Read("kl/latents").OnTestDevice());
        TensorAssert.Close(File.Read("kl/decoded"), decoded, Limit.Decoded);
        var bytes = Pixels.ToBytes(Pixels.ToUnit(decoded));
        var off = (File.Read("kl/image_uint8").to(int32) - bytes.cpu().to(int32)).abs();
        Assert.True(off.max().item<int>() <= 1);
        Assert.True(off.to_type(ScalarType.Bool).sum().item<long>() <= off.numel() / 50);
    }

    [Fact]
    public void ToBytes_ReferenceImage_EqualsThePicture()
    {
        using var scope = NewDisposeScope();
        TensorAssert.Same(File.Read("kl/image_uint8"), Pixels.ToBytes(Pixels.ToUnit(File.Read("kl/decoded"))));
    }

    [Fact]
    public void Encode_KL_GivesTheReferenceMean()
    {
        using var scope = NewDisposeScope();
        var autoencoder = Assert.IsType<AutoencoderKL>(Load("model", "vae"));
        var latents = autoencoder.Encode(File.Read("image").OnTestDevice());
        TensorAssert.Close(File.Read("kl/encoded_mean"), latents.Over(autoencoder.Config.ScalingFactor), Limit.Encoded);
    }

    [Fact]
    public void DecodeAndEncode_Tiny_GiveTheReferenceTensors()
    {
        using var scope = NewDisposeScope();
        var autoencoder = Load("vae_tiny");
        Assert.IsType<AutoencoderTiny>(autoencoder);
        TensorAssert.Close(File.Read("tiny/decoded"), autoencoder.Decode(File.Read("tiny/latents").OnTestDevice()), Limit.TinyDecoded);
        TensorAssert.Close(File.Read("tiny/encoded"), autoencoder.Encode(File.Read("image").OnTestDevice()), Limit.Encoded);
    }

    [Fact]
    public void Decode_BFloat16_IsNearTheReference()
    {
        using var scope = NewDisposeScope();
        var decoded = Autoencoder.Load(Goldens.At("model", "vae"), Precision.For(ScalarType.BFloat16, TestDevice.Current)).Module
            .Decode(File.Read("kl/latents").OnTestDevice());
        TensorAssert.RelativelyClose(File.Read("kl/decoded"), decoded, 0.03);
    }

    private static IAutoencoder Load(params string[] folder) =>
        Autoencoder.Load(Goldens.At(folder), Precision.For(ScalarType.Float32, TestDevice.Current)).Module;
}
