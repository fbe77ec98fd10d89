using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Self-attention over all cells with one head as wide as the block, around a skip connection.</summary>
internal sealed class KLAttention(Weights weights, int channels, int normGroups)
{
    private readonly GroupNorm _norm = new(weights.At("group_norm"), normGroups, channels, eps: 1e-6);
    private readonly Linear _query = new(weights.At("to_q"), channels, channels);
    private readonly Linear _key = new(weights.At("to_k"), channels, channels);
    private readonly Linear _value = new(weights.At("to_v"), channels, channels);
    private readonly Linear _out = new(weights.At("to_out.0"), channels, channels);

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var rows = ChannelsLast.ToRows(_norm.Forward(x));
        var attended = Attention.Forward(_query.Forward(rows), _key.Forward(rows), _value.Forward(rows), heads: 1);
        var delta = ChannelsLast.FromRows(_out.Forward(attended), x.shape[2], x.shape[3]);
        return x.Plus(delta).MoveToOuterDisposeScope();
    }
}
