using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>CLIP's vision transformer (arXiv 2103.00020): patches as tokens, and before them one that gathers what is in the picture.</summary>
internal sealed class ClipVisionEncoder
{
    private readonly Tensor _class, _positions, _projection;
    private readonly Conv2d _patches;
    private readonly LayerNorm _firstNorm, _lastNorm;
    private readonly ClipLayer[] _layers;

    /// <summary>Registers the weights under <paramref name="weights"/>; they are there once its Load has run.</summary>
    public ClipVisionEncoder(Weights weights, ClipVisionConfig config, int projectionSize)
    {
        Config = config;
        var (model, width) = (weights.At("vision_model"), config.HiddenSize);
        var embeddings = model.At("embeddings");
        // Files of before 2023 hold the numbers from 0 on.
        embeddings.Ignore("position_ids");
        _class = embeddings.Get("class_embedding", width);
        _patches = new Conv2d(embeddings.At("patch_embedding"), ClipVisionConfig.Channels, width, config.PatchSize, config.PatchSize, bias: false);
        _positions = embeddings.Get("position_embedding.weight", config.Patches + 1, width);
        // The published files spell it so.
        _firstNorm = new LayerNorm(model.At("pre_layrnorm"), width, config.NormEpsilon);
        _layers = [.. Enumerable.Range(0, config.Layers).Select(i => new ClipLayer(model.At($"encoder.layers.{i}"), config.Layer))];
        _lastNorm = new LayerNorm(model.At("post_layernorm"), width, config.NormEpsilon);
        _projection = weights.Get("visual_projection.weight", projectionSize, width);
    }

    public ClipVisionConfig Config { get; }

    /// <summary>[B, 3, side, side], prepared, to [B, P], not normalised.</summary>
    public Tensor Forward(Tensor pictures)
    {
        using var scope = NewDisposeScope();
        var patches = _patches.Forward(pictures).flatten(2).transpose(1, 2);
        var first = _class.expand(patches.shape[0], 1, Config.HiddenSize);
        var states = _firstNorm.Forward(cat([first, patches], 1).Plus(_positions));
        foreach (var layer in _layers) states = states.Into(layer.Forward);
        return Products.Linear(_lastNorm.Forward(states.select(1, 0)), _projection).MoveToOuterDisposeScope();
    }
}
