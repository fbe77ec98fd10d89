using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Self-attention, attention to the text, and a feed-forward layer, each after a layer norm and around a residual connection.</summary>
internal sealed class BasicTransformerBlock(Weights weights, long channels, long textChannels, long heads)
{
    private readonly LayerNorm _norm1 = new(weights.At("norm1"), channels);
    private readonly SelfAttention _self = new(weights.At("attn1"), channels, heads);
    private readonly LayerNorm _norm2 = new(weights.At("norm2"), channels);
    private readonly CrossAttention _cross = new(weights.At("attn2"), channels, textChannels, heads);
    private readonly LayerNorm _norm3 = new(weights.At("norm3"), channels);
    private readonly FeedForward _feedForward = new(weights.At("ff"), channels);

    public Tensor KeyValue(Tensor text) => _cross.KeyValue(text);

    /// <summary>[B, N, C] to [B, N, C].</summary>
    public Tensor Forward(Tensor rows, Tensor keyValue)
    {
        using var scope = NewDisposeScope();
        rows = Private.Add(_self.Forward(_norm1.Forward(rows)), rows);
        rows = Private.Add(_cross.Forward(_norm2.Forward(rows), keyValue), rows);
        return Private.Add(_feedForward.Forward(_norm3.Forward(rows)), rows).MoveToOuterDisposeScope();
    }
}
