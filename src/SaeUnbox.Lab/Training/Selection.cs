using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Which pre-activations of a batch become active.</summary>
internal abstract class Selection
{
    /// <summary>Chosen features with their pre-activations before relu, flat lists of one length, and the same as entries.</summary>
    public abstract Selected Choose(Tensor preActivations);

    public static Selection For(TrainingOptions options) => options.Sparsity == SparsityRule.BatchTopK
        ? new BatchTopKSelection(options.K)
        : new TopKSelection(options.K);

    internal sealed record Selected(Tensor Raw, ActiveEntries Entries);
}

/// <summary>The k largest of each row.</summary>
internal sealed class TopKSelection(int k) : Selection
{
    public override Selected Choose(Tensor preActivations)
    {
        var (values, indices) = preActivations.topk(k, -1);
        return new Selected(values.reshape(-1), ActiveEntries.OfTopK(indices, values.relu()));
    }
}
