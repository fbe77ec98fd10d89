using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Rows attend to each other; query, key and value come of one product.</summary>
internal sealed class SelfAttention(Weights weights, long channels, long heads)
{
    private readonly Tensor _projections = weights.GetFused(["to_q.weight", "to_k.weight", "to_v.weight"], channels, channels);
    private readonly Linear _out = new(weights.At("to_out.0"), channels, channels);

    /// <summary>[B, N, C] to [B, N, C].</summary>
    public Tensor Forward(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var parts = Products.Linear(rows, _projections).chunk(3, -1);
        return _out.Forward(Attention.Forward(parts[0], parts[1], parts[2], heads)).MoveToOuterDisposeScope();
    }
}
