using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// A linear reading of the labels from a site's delta, for training only: it makes the deltas hold, cell by cell and along directions
/// of their own, what is drawn there, which is what a dictionary can find and a brush can use.
/// </summary>
internal sealed class LabelHead(Weights weights, int channels)
{
    private readonly Tensor _weight = weights.Get("weight", SceneLabels.Count, channels);
    private readonly Tensor _bias = weights.Get("bias", SceneLabels.Count);

    /// <summary>[labels, channels].</summary>
    public Tensor Directions => _weight;

    /// <summary>Mean cross entropy of the labels [B, labels, 16, 16], read from a delta [B, channels, 16, 16].</summary>
    public Tensor Loss(Tensor delta, Tensor labels)
    {
        using var scope = NewDisposeScope();
        var cells = nn.functional.layer_norm(delta.permute(0, 2, 3, 1), [channels]);
        var scores = nn.functional.linear(cells, _weight, _bias);
        return nn.functional.binary_cross_entropy_with_logits(scores, labels.permute(0, 2, 3, 1)).MoveToOuterDisposeScope();
    }
}
