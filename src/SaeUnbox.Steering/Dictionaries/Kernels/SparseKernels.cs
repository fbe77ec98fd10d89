using System.Runtime.InteropServices;

namespace SaeUnbox.Steering;

/// <summary>
/// The sparse part of an autoencoder's arithmetic. Only the pre-activations are a dense product; everything after the
/// top-k touches k of n features per row.
/// </summary>
internal interface ISparseKernels
{
    /// <summary>Reconstructions by each prefix of the dictionary: [groups, rows, d].</summary>
    Tensor Decode(ActiveEntries entries, Tensor dictionary, Tensor bias, Nesting nesting);

    /// <summary>For each entry the product of its row's upstream gradient with its feature's direction: [m].</summary>
    /// <param name="upstream">[groups, rows, d]: for group g, the gradient of all reconstructions that hold it.</param>
    Tensor EntryGradients(ActiveEntries entries, Tensor dictionary, Tensor upstream, Nesting nesting);

    /// <summary>
    /// One step of encoder and dictionary: gradients from the entries, directions to unit length, the parallel part of
    /// their gradients removed, Adam.
    /// </summary>
    void UpdateWeights(WeightUpdate update);

    /// <summary>One Adam step of a vector.</summary>
    void UpdateVector(Tensor parameter, Tensor gradient, AdamMoments moments, AdamStep step);
}

/// <summary>The two running moments of one parameter, of its shape.</summary>
internal sealed record AdamMoments(Tensor First, Tensor Second) : IDisposable
{
    public static AdamMoments Like(Tensor parameter) => new(
        zeros_like(parameter).DetachFromDisposeScope(),
        zeros_like(parameter).DetachFromDisposeScope());

    public void Dispose()
    {
        First.Dispose();
        Second.Dispose();
    }
}

/// <summary>What one step of the two matrices needs.</summary>
/// <param name="Centred">x - b_pre, [rows, d].</param>
/// <param name="Upstream">Gradients of the reconstructions by group, [groups, rows, d].</param>
/// <param name="PreActivationGradients">[m]: the gradient of each entry's pre-activation.</param>
/// <param name="Dead">Features with a further dense gradient, [q] int64, or null.</param>
/// <param name="DeadEncoder">Their encoder gradient [q, d].</param>
/// <param name="DeadDictionary">Their dictionary gradient [q, d].</param>
internal sealed record WeightUpdate(
    ActiveEntries Entries,
    Nesting Nesting,
    Tensor Centred,
    Tensor Upstream,
    Tensor PreActivationGradients,
    Tensor? Dead,
    Tensor? DeadEncoder,
    Tensor? DeadDictionary,
    Tensor EncoderWeight,
    Tensor Dictionary,
    AdamMoments EncoderMoments,
    AdamMoments DictionaryMoments,
    AdamStep Adam);

internal static class SparseKernels
{
    private static readonly CpuKernels Cpu = new();
    private static readonly TensorKernels Tensors = new();

    /// <summary>Vectorised loops over memory on the CPU, tensor operators elsewhere.</summary>
    public static ISparseKernels For(Device device) => device.type == DeviceType.CPU ? Cpu : Tensors;
}

/// <summary>The numbers of one Adam step (Kingma and Ba, arXiv 1412.6980), including its bias corrections.</summary>
internal readonly record struct AdamStep(double Beta1, double Beta2, double Epsilon, double StepSize, double SecondMomentScale)
{
    /// <summary>Step number <paramref name="step"/>, counted from 1.</summary>
    public static AdamStep At(long step, double learningRate, double beta1, double beta2, double epsilon) => new(
        beta1,
        beta2,
        epsilon,
        learningRate / (1 - Math.Pow(beta1, step)),
        Math.Sqrt(1 - Math.Pow(beta2, step)));
}

/// <summary>
/// Nested dictionaries: each prefix of the features reconstructs on its own. A feature of group g (the first prefix that
/// holds it) takes part in the reconstructions g, g + 1, …; one group of all n features is the plain autoencoder.
/// </summary>
internal sealed class Nesting
{
    public Nesting(IReadOnlyList<int> prefixSizes)
    {
        PrefixSizes = prefixSizes;
        GroupArray = new int[prefixSizes[^1]];
        var start = 0;
        for (var group = 0; group < prefixSizes.Count; group++)
        {
            Array.Fill(GroupArray, group, start, prefixSizes[group] - start);
            start = prefixSizes[group];
        }
    }

    public IReadOnlyList<int> PrefixSizes { get; }

    public int Groups => PrefixSizes.Count;

    /// <summary>The group of each feature.</summary>
    public int[] GroupArray { get; }

    public static Nesting None(int features) => new([features]);
}

/// <summary>The non-zeros of a code matrix [rows, n] as three lists of one length, ordered by row.</summary>
/// <param name="Rows">Row of each entry, [m] int64.</param>
/// <param name="Columns">Feature of each entry, [m] int64.</param>
/// <param name="Values">Value of each entry after relu, [m] float32.</param>
internal sealed record ActiveEntries(Tensor Rows, Tensor Columns, Tensor Values, long RowCount) : IDisposable
{
    /// <summary>From k indices and values for each row, shapes [..., k].</summary>
    public static ActiveEntries OfTopK(Tensor indices, Tensor values)
    {
        var k = indices.shape[^1];
        var rowCount = indices.numel() / Math.Max(k, 1);
        var rows = Arithmetic.Range(0, rowCount, ScalarType.Int64, indices.device).unsqueeze(1).expand(rowCount, k).reshape(-1);
        return new ActiveEntries(rows, indices.reshape(-1), values.reshape(-1), rowCount);
    }

    /// <summary>From positions in the flattened matrix, in rising order, [m] int64.</summary>
    public static ActiveEntries OfFlat(Tensor positions, Tensor values, long rowCount, long features)
    {
        var rows = positions.FloorOver(features);
        return new ActiveEntries(rows, positions - rows.Times(features), values, rowCount);
    }

    /// <summary>The lists in managed memory, with where each row starts.</summary>
    public Arrays ToArrays()
    {
        var columns = Integers(Columns);
        var rows = Integers(Rows);
        var starts = new int[RowCount + 1];
        foreach (var row in rows)
            starts[row + 1]++;
        for (var row = 0; row < RowCount; row++)
            starts[row + 1] += starts[row];
        return new Arrays(rows, columns, MemoryMarshal.Cast<byte, float>(Values.contiguous().bytes).ToArray(), starts);
    }

    public void Dispose()
    {
        Rows.Dispose();
        Columns.Dispose();
        Values.Dispose();
    }

    private static int[] Integers(Tensor tensor)
    {
        using var narrow = tensor.to(ScalarType.Int32).contiguous();
        return MemoryMarshal.Cast<byte, int>(narrow.bytes).ToArray();
    }

    internal sealed record Arrays(int[] Rows, int[] Columns, float[] Values, int[] RowStarts);
}

/// <summary>The kernels as tensor operators, for any device.</summary>
internal sealed class TensorKernels : ISparseKernels
{
    public Tensor Decode(ActiveEntries entries, Tensor dictionary, Tensor bias, Nesting nesting)
    {
        using var scope = NewDisposeScope();
        var width = dictionary.shape[1];
        var parts = zeros([nesting.Groups * entries.RowCount, width], dtype: ScalarType.Float32, device: dictionary.device);
        var directions = dictionary.index_select(0, entries.Columns) * entries.Values.unsqueeze(1);
        parts.AccumulateAt(GroupRows(entries, nesting), directions);
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
            entries.Columns, update.Centred.index_select(0, entries.Rows) * update.PreActivationGradients.unsqueeze(1));
        var dictionaryGradient = zeros_like(update.Dictionary).AccumulateAt(
            entries.Columns, UpstreamRows(entries, update.Upstream, update.Nesting) * entries.Values.unsqueeze(1));
        if (update.Dead is { } dead)
        {
            encoderGradient.AccumulateAt(dead, update.DeadEncoder!);
            dictionaryGradient.AccumulateAt(dead, update.DeadDictionary!);
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
