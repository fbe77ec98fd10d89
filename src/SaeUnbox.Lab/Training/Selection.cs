using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Chooses the features that become active.</summary>
internal abstract class Selection
{
    /// <param name="preActivations">[rows, n].</param>
    /// <returns>The chosen pre-activations before relu, as a flat list, and the same as entries.</returns>
    public abstract Selected Choose(Tensor preActivations);

    public static Selection For(TrainingOptions options) => options.Sparsity == SparsityRule.BatchTopK
        ? new BatchTopKSelection(options.K)
        : new TopKSelection(options.K);

    internal sealed record Selected(Tensor Raw, ActiveEntries Entries);
}

/// <summary>Chooses the k largest of each row.</summary>
internal sealed class TopKSelection(int k) : Selection
{
    public override Selected Choose(Tensor preActivations)
    {
        var (values, indices) = preActivations.topk(k, -1);
        return new Selected(values.reshape(-1), ActiveEntries.OfTopK(indices, values.relu()));
    }
}

/// <summary>
/// Chooses the k * batch largest of the whole batch, so that a complex position may use more features than a simple one (Bussmann et al.
/// 2024, arXiv 2412.06410).
/// </summary>
internal sealed class BatchTopKSelection(int k) : Selection
{
    public override Selected Choose(Tensor preActivations)
    {
        var (rows, features) = (preActivations.shape[0], preActivations.shape[1]);
        var (_, positions) = preActivations.view(-1).topk((int)Math.Min(rows * k, rows * features), sorted: false);
        // Entries must be ordered by row; a fixed order also makes sums repeatable.
        (positions, _) = positions.sort();
        var values = preActivations.view(-1).index_select(0, positions);
        return new Selected(values, ActiveEntries.OfFlat(positions, values.relu(), rows, features));
    }
}

/// <summary>
/// The threshold that replaces the choice within a batch at inference: the running mean of the smallest active pre-activation.
/// </summary>
internal static class ThresholdEstimate
{
    private const float Decay = 0.999f;

    /// <summary>The estimate after another batch.</summary>
    /// <param name="running">The estimate so far; null at the start.</param>
    /// <param name="selected">The chosen pre-activations of the batch.</param>
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

/// <summary>
/// The loss that revives dead features (Gao et al. 2024, arXiv 2406.04093, A.2): they reconstruct the residual on their own, and the error
/// is divided by that of the residual's mean. Gradients are in closed form.
/// </summary>
/// <remarks>
/// Only dead features have a gradient, so that products run over the dead ones alone. Without dead features the loss is not zero: b_pre
/// alone reconstructs the residual, and learns from it.
/// </remarks>
internal sealed record AuxiliaryLoss(
    double Value, Tensor? PreBiasGradient, Tensor? Dead, Tensor? PreActivationGradients, Tensor? DictionaryGradient)
{
    /// <param name="sae">The current weights. Its counters must include this batch.</param>
    /// <param name="x">[rows, d].</param>
    /// <param name="reconstruction">[rows, d]; a constant, without gradient.</param>
    /// <param name="preActivations">[rows, n].</param>
    /// <param name="auxK">Dead features per row.</param>
    /// <param name="coefficient">The weight of the loss.</param>
    public static AuxiliaryLoss Of(
        SparseAutoencoder sae, Tensor x, Tensor reconstruction, Tensor preActivations, int auxK, double coefficient)
    {
        var residual = x - reconstruction;
        var dead = sae.StatsLastNonzero.IsAbove(sae.Config.DeadStepsThreshold).nonzero().view(-1);
        var codes = dead.numel() > 0 ? Codes(preActivations.index_select(1, dead), auxK) : null;
        var directions = codes is null ? null : sae.Dictionary.index_select(0, dead);

        // The target is residual + b_pre as a constant, the prediction z W_d + b_pre. b_pre cancels in the value, but has a gradient.
        var error = (codes is null ? zeros_like(residual) : codes.mm(directions!)) - residual;
        var centred = residual.mean([0]) - residual;
        var spread = (centred * centred).mean().item<float>();
        var value = (error * error).mean().item<float>() / spread;
        if (!float.IsFinite(value))
            return new AuxiliaryLoss(0, null, null, null, null);

        var gradient = error.Times(coefficient * 2 / (error.numel() * (double)spread));
        var preBias = gradient.sum([0]);
        if (codes is null)
            return new AuxiliaryLoss(coefficient * value, preBias, null, null, null);
        var preActivationGradients = gradient.mm(directions!.t()) * codes.IsAbove(0).to(ScalarType.Float32);
        return new AuxiliaryLoss(coefficient * value, preBias, dead, preActivationGradients, codes.t().mm(gradient));
    }

    // [rows, dead]: the auxK largest of each row after relu, 0 elsewhere.
    private static Tensor Codes(Tensor preActivations, int auxK)
    {
        if (preActivations.shape[1] <= auxK)
            return preActivations.relu();
        var (values, indices) = preActivations.topk(auxK, -1);
        return zeros_like(preActivations).scatter_(1, indices, values.relu());
    }
}
