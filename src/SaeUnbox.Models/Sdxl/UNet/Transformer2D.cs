using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>x + proj_out(blocks(proj_in(norm(x)))) over the cells of a picture as rows.</summary>
internal sealed class Transformer2D
{
    private readonly GroupNorm _norm;
    private readonly Linear _projectIn;
    private readonly BasicTransformerBlock[] _blocks;
    private readonly Linear _projectOut;

    public Transformer2D(Weights weights, UNetConfig config, UNetLevel level)
    {
        var channels = level.Channels;
        _norm = new GroupNorm(weights.At("norm"), config.NormGroups, channels, eps: 1e-6);
        _projectIn = new Linear(weights.At("proj_in"), channels, channels, asConvolution: !config.LinearProjection);
        _blocks = [.. Enumerable.Range(0, level.TransformerLayers).Select(i =>
            new BasicTransformerBlock(weights.At($"transformer_blocks.{i}"), channels, config.TextChannels, level.Heads))];
        _projectOut = new Linear(weights.At("proj_out"), channels, channels, asConvolution: !config.LinearProjection);
    }

    /// <summary>Keys and values of every basic block, of the text's hidden states [B, T, D].</summary>
    public IReadOnlyList<Tensor> KeyValues(Tensor text) => [.. _blocks.Select(block => block.KeyValue(text))];

    /// <summary>[B, C, H, W] to [B, C, H, W].</summary>
    public Tensor Forward(Tensor x, IReadOnlyList<Tensor> keyValues)
    {
        using var scope = NewDisposeScope();
        var rows = _projectIn.Forward(ChannelsLast.ToRows(_norm.Forward(x)));
        foreach (var (block, keyValue) in _blocks.Zip(keyValues))
        {
            var next = block.Forward(rows, keyValue);
            rows.Dispose();
            rows = next;
        }

        var delta = ChannelsLast.FromRows(_projectOut.Forward(rows), x.shape[2], x.shape[3]);
        return Private.Add(delta, x).MoveToOuterDisposeScope();
    }
}
