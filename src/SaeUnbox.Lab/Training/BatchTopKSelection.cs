using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// The k * batch largest of the whole batch, so a rich position may use more features than a plain one
/// (Bussmann et al. 2024, arXiv 2412.06410).
/// </summary>
internal sealed class BatchTopKSelection(int k) : Selection
{
    public override Selected Choose(Tensor preActivations)
    {
        var (rows, features) = (preActivations.shape[0], preActivations.shape[1]);
        var (_, positions) = preActivations.view(-1).topk((int)Math.Min(rows * k, rows * features), sorted: false);
        // Entries are ordered by row, and a fixed order makes sums repeatable.
        (positions, _) = positions.sort();
        var values = preActivations.view(-1).index_select(0, positions);
        return new Selected(values, ActiveEntries.OfFlat(positions, values.relu(), rows, features));
    }
}

/// <summary>
/// The bound that replaces the batch at inference: the running mean of the smallest active pre-activation.
/// </summary>
internal static class ThresholdEstimate
{
    private const float Decay = 0.999f;

    /// <summary>The estimate after one more batch, from its selected pre-activations.</summary>
    public static float? Next(float? running, Tensor selected)
    {
        using var scope = NewDisposeScope();
        var positive = selected.masked_select(selected.IsAbove(0));
        if (positive.numel() == 0)
            return running;
        var smallest = positive.min().item<float>();
        return running is { } mean ? mean * Decay + smallest * (1 - Decay) : smallest;
    }
}
