using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Tests.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Training;

public sealed class LatentCodeTests
{
    [Fact]
    public void Encode_FittedScenes_HasUnitVarianceAndNoCorrelation()
    {
        using var scope = NewDisposeScope();
        var pictures = Enumerable.Range(0, 6).Select(i => SceneRenderer.Render(Some.Scene(i))).ToArray();

        var latents = stack(pictures.Select(picture => tensor(LatentCode.Fit(pictures).Encode(picture)).reshape(4, -1)), 1).flatten(1);

        var products = latents.matmul(latents.t()).Over(latents.shape[1]);
        Assert.True(products.allclose(eye(4), atol: 1e-3), string.Join(" ", products.data<float>()));
    }

    [Theory]
    [InlineData("1, 0, 0", 256)]
    [InlineData("1, 0, 0, 0", 512)]
    public void EncoderWeights_InAnAutoencoderTiny_GiveTheCode(string blocks, int side)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (code, picture) = (Tiny.Code(), SceneRenderer.Render(Some.Scene(9), side));
        var options = Tiny.Options with
        {
            PictureSize = side,
            Decoder = Tiny.Options.Decoder with { Blocks = [.. blocks.Split(", ").Select(int.Parse)] },
        };
        var folder = Tiny.Folder();
        MiniConfigurations.Write(folder, options, 10, 1, 2);
        using var training = new DecoderTraining(options, code,
            AutoencoderTinyConfig.From(JsonConfig.Load(Path.Combine(folder, "vae", "config.json"))), CPU);
        var image = tensor(picture.Rgb).to_type(ScalarType.Float32).reshape(1, side, side, 3).permute(0, 3, 1, 2).Over(127.5).Minus(1);

        var encoded = training.Model.Encode(image);

        Assert.True(encoded.allclose(tensor(code.Encode(picture, options.Reduction)).reshape(1, 4, 64, 64), atol: 1e-4));
        Directory.Delete(folder, true);
    }
}
