using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>A layer of a CLIP tower: self-attention and a feed-forward network, each after a norm and added to its input.</summary>
internal sealed class ClipLayer
{
    private readonly ClipLayerShape _shape;
    private readonly LayerNorm _attentionNorm, _networkNorm;
    private readonly Tensor _projections, _projectionBiases;
    private readonly Linear _output, _widen, _narrow;

    public ClipLayer(Weights weights, ClipLayerShape shape)
    {
        _shape = shape;
        var (width, inner) = (shape.Width, shape.Inner);
        var attention = weights.At("self_attn");
        _attentionNorm = new LayerNorm(weights.At("layer_norm1"), width, shape.NormEpsilon);
        _projections = attention.GetFused(["q_proj.weight", "k_proj.weight", "v_proj.weight"], width, width);
        _projectionBiases = attention.GetFused(["q_proj.bias", "k_proj.bias", "v_proj.bias"], width);
        _output = new Linear(attention.At("out_proj"), width, width);
        _networkNorm = new LayerNorm(weights.At("layer_norm2"), width, shape.NormEpsilon);
        _widen = new Linear(weights.At("mlp.fc1"), width, inner);
        _narrow = new Linear(weights.At("mlp.fc2"), inner, width);
    }

    /// <summary>[B, L, D] to the same shape.</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var attended = Private.Add(Attend(_attentionNorm.Forward(x)), x);
        var network = _narrow.Forward(Activate(_widen.Forward(_networkNorm.Forward(attended))));
        return Private.Add(network, attended).MoveToOuterDisposeScope();
    }

    private Tensor Attend(Tensor x)
    {
        var projected = Products.Linear(x, _projections, _projectionBiases).chunk(3, -1);
        return _output.Forward(Attention.Forward(projected[0], projected[1], projected[2], _shape.Heads, _shape.Causal));
    }

    // quick_gelu is x * sigmoid(1.702 x), an approximation of gelu (arXiv 1606.08415).
    private Tensor Activate(Tensor mine) => _shape.Activation == "gelu"
        ? Private.Gelu(mine)
        : Private.Multiply(mine.Times(1.702).sigmoid(), mine);
}

/// <summary>What a tower's layers have in common.</summary>
/// <param name="Width">Width of the hidden states.</param>
/// <param name="Inner">Width inside the feed-forward networks.</param>
/// <param name="Heads">Attention heads; divides the width.</param>
/// <param name="Activation">quick_gelu or gelu.</param>
/// <param name="NormEpsilon">Epsilon of every layer norm.</param>
/// <param name="Causal">Whether a state sees only those before it: in text, not in pictures.</param>
internal readonly record struct ClipLayerShape(int Width, int Inner, int Heads, string Activation, double NormEpsilon, bool Causal);
