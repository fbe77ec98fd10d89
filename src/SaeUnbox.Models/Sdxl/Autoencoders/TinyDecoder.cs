using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Stages of residual blocks, each followed by an enlargement and a convolution; numbered as one list of layers.</summary>
internal sealed class TinyDecoder
{
    private readonly List<Func<Tensor, Tensor>> _layers = [];

    public TinyDecoder(Weights layers, AutoencoderTinyConfig config)
    {
        var widths = config.DecoderWidths;
        _layers.Add(new Conv2d(Next(), config.LatentChannels, widths[0], kernel: 3, padding: 1).Forward);
        var activation = Activations.Named(config.Activation);
        _layers.Add(x => activation(x.alias()));
        foreach (var (stage, width) in widths.Index())
        {
            for (var block = 0; block < config.DecoderBlocks[stage]; block++)
            {
                _layers.Add(new TinyBlock(Next(), width, config.Activation).Forward);
            }

            if (stage < widths.Count - 1 && config.Upsampling == 2)
            {
                var doubling = new DoublingConv2d(layers.At($"{_layers.Count + 1}"), width, bias: false);
                _layers.Add(x => x.alias());
                _layers.Add(doubling.Forward);
            }
            else if (stage < widths.Count - 1)
            {
                _layers.Add(x => Upsample.Nearest(x, config.Upsampling));
                _layers.Add(new Conv2d(Next(), width, width, kernel: 3, padding: 1, bias: false).Forward);
            }
            else
            {
                _layers.Add(new Conv2d(Next(), width, config.OutChannels, kernel: 3, padding: 1).Forward);
            }
        }

        Weights Next() => layers.At($"{_layers.Count}");
    }

    /// <summary>Latents to an image of 0 … 1.</summary>
    public Tensor Forward(Tensor latents, CancellationToken cancellation)
    {
        // Soft limits: no latent reaches beyond 3.
        var x = latents.Over(3).Into(t => t.tanh()).Into(t => t.Times(3)).Into(ChannelsLast.Of);
        foreach (var layer in _layers)
        {
            cancellation.ThrowIfCancellationRequested();
            x = x.Into(layer);
        }

        return x;
    }
}
