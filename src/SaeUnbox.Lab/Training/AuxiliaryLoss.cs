using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// The loss that revives dead features: they alone reconstruct what the living ones left over, and the error is
/// divided by that of the residual's mean (Gao et al. 2024, A.2). All gradients in closed form.
/// </summary>
/// <remarks>
/// Only dead features can have a gradient, so the work is dense products over the dead ones. While nothing is dead the
/// loss is not zero: b_pre alone stands against the residual, and learns from it.
/// </remarks>
internal sealed record AuxiliaryLoss(
    double Value, Tensor? PreBiasGradient, Tensor? Dead, Tensor? PreActivationGradients, Tensor? DictionaryGradient)
{
    /// <param name="sae">Current weights; its counters are already those after this batch.</param>
    /// <param name="x">[rows, d].</param>
    /// <param name="reconstruction">[rows, d], taken as a constant.</param>
    /// <param name="preActivations">[rows, n].</param>
    /// <param name="auxK">Dead features used per row.</param>
    /// <param name="coefficient">Weight of the loss.</param>
    public static AuxiliaryLoss Of(
        SparseAutoencoder sae, Tensor x, Tensor reconstruction, Tensor preActivations, int auxK, double coefficient)
    {
        var residual = x - reconstruction;
        var dead = sae.StatsLastNonzero.IsAbove(sae.Config.DeadStepsThreshold).nonzero().view(-1);
        var codes = dead.numel() > 0 ? Codes(preActivations.index_select(1, dead), auxK) : null;
        var directions = codes is null ? null : sae.Dictionary.index_select(0, dead);

        // target = residual + b_pre as a constant, prediction = z W_d + b_pre: b_pre cancels in value, not in gradient.
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

    // Dense codes [rows, dead]: the auxK largest of a row after relu, the others zero.
    private static Tensor Codes(Tensor preActivations, int auxK)
    {
        if (preActivations.shape[1] <= auxK)
            return preActivations.relu();
        var (values, indices) = preActivations.topk(auxK, -1);
        return zeros_like(preActivations).scatter_(1, indices, values.relu());
    }
}
