using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Rows attend to the text. Its keys and values depend on nothing else, so they are made once for a prompt.</summary>
internal sealed class CrossAttention(Weights weights, long channels, long textChannels, long heads)
{
    private readonly Tensor _query = weights.Get("to_q.weight", channels, channels);
    private readonly Tensor _keyValue = weights.GetFused(["to_k.weight", "to_v.weight"], channels, textChannels);
    private readonly Linear _out = new(weights.At("to_out.0"), channels, channels);

    /// <summary>Key and value side by side, [B, T, 2C], of the text's hidden states [B, T, D].</summary>
    public Tensor KeyValue(Tensor text) => Products.Linear(text, _keyValue);

    /// <summary>[B, N, C] to [B, N, C].</summary>
    public Tensor Forward(Tensor rows, Tensor keyValue)
    {
        using var scope = NewDisposeScope();
        var query = Products.Linear(rows, _query);
        var parts = keyValue.chunk(2, -1);
        return _out.Forward(Attention.Forward(query, parts[0], parts[1], heads)).MoveToOuterDisposeScope();
    }
}
