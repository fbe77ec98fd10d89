using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>Stages without residual blocks at the end of a tiny decoder, which are computed as one convolution.</summary>
public sealed class TinyTailTests
{
    [Theory]
    [InlineData("[1, 0]", 5, 7)]
    [InlineData("[1, 0, 0]", 6, 2)]
    [InlineData("[0, 1, 0, 0]", 3, 4)]
    [InlineData("[1, 0, 0, 0]", 4, 5)]
    [InlineData("[0, 0, 0]", 2, 2)]
    [InlineData("[2, 0, 0]", 1, 3)]
    [InlineData("[1, 0, 1]", 4, 4)]
    public void Decode_StagesWithoutBlocks_GivesWhatTheLayersGiveOneByOne(string blocks, int height, int width)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var (model, weights) = Build(blocks);
        using var generator = new Generator(3);
        var latents = randn([2, 4, height, width], generator: generator);

        var decoded = model.Decode(latents);

        var expected = Layers(latents, model.Config, weights);
        Assert.Equal(expected.shape, decoded.shape);
        Assert.True(decoded.allclose(expected, 1e-4, 1e-5), $"{(decoded - expected).abs().max().item<float>()}");
        weights.Dispose();
    }

    [Fact]
    public void Decode_StagesWithoutBlocks_PassesGradientsToAllOfThem()
    {
        using var scope = NewDisposeScope();
        var (model, weights) = Build("[1, 0, 0]");
        using var generator = new Generator(4);
        var latents = randn([1, 4, 5, 6], generator: generator);
        var decoder = weights.Tensors.Where(pair => pair.Key.StartsWith("decoder.", StringComparison.Ordinal)).ToArray();
        foreach (var (_, tensor) in decoder)
            tensor.requires_grad_();

        model.Decode(latents).Square().sum().backward();
        var gradients = decoder.Select(pair => pair.Value.grad!.clone()).ToArray();
        foreach (var (_, tensor) in decoder)
            tensor.grad = null;
        Layers(latents, model.Config, weights).Square().sum().backward();

        Assert.All(decoder.Zip(gradients), pair => Assert.True(pair.Second.allclose(pair.First.Value.grad!, 1e-3, 1e-2), pair.First.Key));
        weights.Dispose();
    }

    private static (AutoencoderTiny Model, Weights Weights) Build(string blocks)
    {
        var count = blocks.Count(character => character == ',') + 1;
        var widths = $"[{string.Join(", ", Enumerable.Repeat(5, count))}]";
        var config = AutoencoderTinyConfig.From(JsonConfig.Parse($$"""
            { "encoder_block_out_channels": {{widths}}, "decoder_block_out_channels": {{widths}}, "num_encoder_blocks": {{blocks}},
              "num_decoder_blocks": {{blocks}} }
            """, "config.json"));
        var weights = new Weights(new RandomWeights(7), ScalarType.Float32);
        var model = new AutoencoderTiny(weights, config);
        weights.Load();
        return (model, weights);
    }

    // As diffusers numbers and runs them.
    private static Tensor Layers(Tensor latents, AutoencoderTinyConfig config, Weights weights)
    {
        var layer = 0;
        var x = Convolve(latents.Over(3).tanh().Times(3), "").relu();
        layer += 2;
        foreach (var (stage, blocks) in config.DecoderBlocks.Index())
        {
            for (var block = 0; block < blocks; block++, layer++)
                x = Convolve(Convolve(Convolve(x, ".conv.0").relu(), ".conv.2").relu(), ".conv.4").Plus(x).relu();
            if (stage == config.DecoderBlocks.Count - 1)
                break;
            layer++;
            x = Convolve(x.repeat_interleave(2, 2).repeat_interleave(2, 3), "");
            layer++;
        }
        return Convolve(x, "").Times(2).Minus(1);

        Tensor Convolve(Tensor input, string part)
        {
            var name = $"decoder.layers.{layer}{part}";
            return nn.functional.conv2d(input, weights.Tensors[name + ".weight"], weights.Tensors.GetValueOrDefault(name + ".bias"),
                padding: [1, 1]);
        }
    }
}
