using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Stages of residual blocks, each after the first at half the size; numbered as one list of layers.</summary>
internal sealed class TinyEncoder
{
    private readonly List<Func<Tensor, Tensor>> _layers = [];

    public TinyEncoder(Weights layers, AutoencoderTinyConfig config)
    {
        foreach (var (stage, width) in config.EncoderWidths.Index())
        {
            var here = layers.At($"{_layers.Count}");
            _layers.Add(stage == 0
                ? new Conv2d(here, config.InChannels, width, kernel: 3, padding: 1).Forward
                : new Conv2d(here, width, width, kernel: 3, stride: 2, padding: 1, bias: false).Forward);
            for (var block = 0; block < config.EncoderBlocks[stage]; block++)
            {
                _layers.Add(new TinyBlock(layers.At($"{_layers.Count}"), width, config.Activation).Forward);
            }
        }

        _layers.Add(new Conv2d(layers.At($"{_layers.Count}"), config.EncoderWidths[^1], config.LatentChannels, kernel: 3, padding: 1).Forward);
    }

    /// <summary>Image 0 … 1 to latents.</summary>
    public Tensor Forward(Tensor image, CancellationToken cancellation)
    {
        var x = ChannelsLast.Of(image);
        foreach (var layer in _layers)
        {
            cancellation.ThrowIfCancellationRequested();
            x = x.Into(layer);
        }

        return x;
    }
}
