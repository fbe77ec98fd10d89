using SaeUnbox.Checkpoints;
using static TorchSharp.torch;

namespace SaeUnbox.Diffusion;

/// <summary>A layer of a CLIP text encoder: causal self-attention and a feed-forward network, each after a norm and added to its input.</summary>
internal sealed class ClipTextLayer
{
    private readonly ClipTextConfig _config;
    private readonly LayerNorm _attentionNorm, _networkNorm;
    private readonly Tensor _projections, _projectionBiases;
    private readonly Linear _output, _widen, _narrow;

    public ClipTextLayer(Weights weights, ClipTextConfig config)
    {
        _config = config;
        var (width, inner) = (config.HiddenSize, config.IntermediateSize);
        var attention = weights.At("self_attn");
        _attentionNorm = new LayerNorm(weights.At("layer_norm1"), width, config.NormEpsilon);
        _projections = attention.GetFused(["q_proj.weight", "k_proj.weight", "v_proj.weight"], width, width);
        _projectionBiases = attention.GetFused(["q_proj.bias", "k_proj.bias", "v_proj.bias"], width);
        _output = new Linear(attention.At("out_proj"), width, width);
        _networkNorm = new LayerNorm(weights.At("layer_norm2"), width, config.NormEpsilon);
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
        return _output.Forward(Attention.Forward(projected[0], projected[1], projected[2], _config.Heads, causal: true));
    }

    // quick_gelu is x * sigmoid(1.702 x), an approximation of gelu (arXiv 1606.08415).
    private Tensor Activate(Tensor mine) => _config.Activation == "gelu"
        ? Private.Gelu(mine)
        : Private.Multiply((mine * 1.702).sigmoid(), mine);
}
