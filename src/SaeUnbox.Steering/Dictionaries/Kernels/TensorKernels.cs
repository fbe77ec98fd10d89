using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>The kernels as tensor operators, for any device.</summary>
internal sealed class TensorKernels : ISparseKernels
{
    public Tensor Decode(ActiveEntries entries, Tensor dictionary, Tensor bias, Nesting nesting)
    {
        using var scope = NewDisposeScope();
        var width = dictionary.shape[1];
        var parts = zeros([nesting.Groups * entries.RowCount, width], dtype: ScalarType.Float32, device: dictionary.device);
        var directions = dictionary.index_select(0, entries.Columns) * entries.Values.unsqueeze(1);
        parts.AccumulateAt(0, GroupRows(entries, nesting), directions);
        return parts.view(nesting.Groups, entries.RowCount, width).cumsum(0).Plus(bias).MoveToOuterDisposeScope();
    }

    public Tensor EntryGradients(ActiveEntries entries, Tensor dictionary, Tensor upstream, Nesting nesting)
    {
        using var scope = NewDisposeScope();
        return (UpstreamRows(entries, upstream, nesting) * dictionary.index_select(0, entries.Columns))
            .sum(1)
            .MoveToOuterDisposeScope();
    }

    public void UpdateWeights(WeightUpdate update)
    {
        using var scope = NewDisposeScope();
        var entries = update.Entries;
        var encoderGradient = zeros_like(update.EncoderWeight).AccumulateAt(
            0,
            entries.Columns,
            update.Centred.index_select(0, entries.Rows) * update.PreActivationGradients.unsqueeze(1));
        var dictionaryGradient = zeros_like(update.Dictionary).AccumulateAt(
            0,
            entries.Columns,
            UpstreamRows(entries, update.Upstream, update.Nesting) * entries.Values.unsqueeze(1));
        if (update.Dead is { } dead)
        {
            encoderGradient.AccumulateAt(0, dead, update.DeadEncoder!);
            dictionaryGradient.AccumulateAt(0, dead, update.DeadDictionary!);
        }

        update.Dictionary.div_((update.Dictionary * update.Dictionary).sum(1).sqrt().unsqueeze(1));
        var parallel = (update.Dictionary * dictionaryGradient).sum(1).unsqueeze(1);
        dictionaryGradient.sub_(parallel * update.Dictionary);

        UpdateVector(update.EncoderWeight, encoderGradient, update.EncoderMoments, update.Adam);
        UpdateVector(update.Dictionary, dictionaryGradient, update.DictionaryMoments, update.Adam);
    }

    public void UpdateVector(Tensor parameter, Tensor gradient, AdamMoments moments, AdamStep step)
    {
        using var scope = NewDisposeScope();
        moments.First.Accumulate((gradient - moments.First).Times(1 - step.Beta1));
        moments.Second.MultiplyInPlace(step.Beta2).Accumulate((gradient * gradient).Times(1 - step.Beta2));
        var denominator = moments.Second.sqrt().Over(step.SecondMomentScale).AddInPlace(step.Epsilon);
        parameter.sub_((moments.First / denominator).Times(step.StepSize));
    }

    private static Tensor UpstreamRows(ActiveEntries entries, Tensor upstream, Nesting nesting) =>
        upstream.view(nesting.Groups * entries.RowCount, upstream.shape[^1]).index_select(0, GroupRows(entries, nesting));

    // Where an entry's group and row lie in the [groups * rows, d] view.
    private static Tensor GroupRows(ActiveEntries entries, Nesting nesting)
    {
        if (nesting.Groups == 1)
            return entries.Rows;
        var groups = tensor(nesting.GroupArray, dtype: ScalarType.Int64, device: entries.Columns.device);
        return groups.index_select(0, entries.Columns).Times(entries.RowCount).Plus(entries.Rows);
    }
}
