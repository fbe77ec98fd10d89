using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Twice the size by repeating cells, then a 3x3 convolution, without making the large picture: where cells repeat, two of three taps
/// meet the same cell, so each of the four cells that one becomes is a 2x2 convolution with summed taps: 16 products, not 36.
/// </summary>
internal sealed class DoublingConv2d(Weights weights, int channels, bool bias = true)
{
    private readonly Tensor _weight = weights.Get("weight", channels, channels, 3, 3);
    private readonly Tensor? _bias = bias ? weights.Get("bias", channels) : null;

    /// <summary>[B, C, h, w] to [B, C, 2h, 2w], channels last.</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (batch, height, width) = (x.shape[0], x.shape[2], x.shape[3]);
        var padded = nn.functional.pad(x, [1, 1, 1, 1]);
        var cells = empty([batch, height, 2, width, 2, channels], x.dtype, x.device);
        for (var i = 0; i < 2; i++)
        {
            for (var j = 0; j < 2; j++)
            {
                using var part = NewDisposeScope();
                var window = padded.narrow(2, i, height + 1).narrow(3, j, width + 1);
                var quarter = Products.Conv2d(window, Taps(Taps(_weight, i, 2), j, 3), _bias, [1, 1], [0, 0]);
                cells.select(4, j).select(2, i).copy_(quarter.permute(0, 2, 3, 1));
            }
        }

        return cells.view(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    // The first of a pair sees its neighbour before and itself twice, the second itself twice and its neighbour after.
    private static Tensor Taps(Tensor weight, int which, int axis)
    {
        var (first, middle, last) = (weight.narrow(axis, 0, 1), weight.narrow(axis, 1, 1), weight.narrow(axis, 2, 1));
        return which == 0 ? cat([first, middle.Plus(last)], axis) : cat([first.Plus(middle), last], axis);
    }
}
