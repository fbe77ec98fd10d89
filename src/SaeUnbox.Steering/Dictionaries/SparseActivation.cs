namespace SaeUnbox.Steering;

/// <summary>How pre-activations h [p, n] become the sparse, non-negative activations z of a dictionary.</summary>
public abstract class SparseActivation : IDisposable
{
    /// <summary>The name of the kind, such as "TopK".</summary>
    public abstract string Kind { get; }

    /// <summary>The active features of each row, largest first, padded with zeros: values and indices [p, m].</summary>
    internal abstract (Tensor Values, Tensor Indices) Select(Tensor preActivations);

    internal virtual void MoveTo(Device device)
    {
    }

    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }
}

/// <summary>z = relu(h) of the k largest h of a row (Gao et al. 2024, arXiv 2406.04093).</summary>
internal sealed class TopKActivation(int k) : SparseActivation
{
    public override string Kind => "TopK";

    internal override (Tensor Values, Tensor Indices) Select(Tensor preActivations)
    {
        var (top, where) = preActivations.topk(k, -1);
        return (top.relu(), where);
    }
}

/// <summary>The features are k groups of neighbours; z = relu(h) of the largest h of each group.</summary>
internal sealed class GroupMaxActivation(int k) : SparseActivation
{
    public override string Kind => "GroupMax";

    internal override (Tensor Values, Tensor Indices) Select(Tensor preActivations)
    {
        var (rows, features) = (preActivations.shape[0], preActivations.shape[1]);
        var (top, where) = preActivations.view(rows, k, features / k).topk(1, -1);
        var starts = Arithmetic.Range(0, k, ScalarType.Int64, preActivations.device).Times(features / k);
        var (values, order) = top.view(rows, k).relu().sort(-1, descending: true);
        return (values, where.view(rows, k).Plus(starts).gather(1, order));
    }
}

/// <summary>An activation that acts on each feature separately, so the number of active features varies by row.</summary>
internal abstract class ElementwiseActivation : SparseActivation
{
    /// <summary>z, dense: [p, n].</summary>
    protected abstract Tensor Apply(Tensor preActivations);

    internal sealed override (Tensor Values, Tensor Indices) Select(Tensor preActivations)
    {
        var dense = Apply(preActivations);
        var widest = dense.shape[0] == 0 ? 1 : Math.Max(1, dense.IsAbove(0).sum(-1).max().item<long>());
        return dense.topk((int)widest, -1);
    }

    protected static Tensor Where(Tensor condition, Tensor values) => values * condition.to(ScalarType.Float32);
}

/// <summary>z = relu(h).</summary>
internal sealed class ReluActivation : ElementwiseActivation
{
    public override string Kind => "ReLU";

    protected override Tensor Apply(Tensor preActivations) => preActivations.relu();
}

/// <summary>z = relu(h) if h exceeds one threshold: BatchTopK at inference (Bussmann et al. 2024, arXiv 2412.06410).</summary>
internal sealed class ThresholdActivation(double threshold) : ElementwiseActivation
{
    public override string Kind => "BatchTopK";

    protected override Tensor Apply(Tensor preActivations) => Where(preActivations.IsAbove(threshold), preActivations.relu());
}

/// <summary>z_f = relu(h_f) where h_f exceeds the feature's threshold [n] (Rajamanoharan et al. 2024, arXiv 2407.14435).</summary>
internal sealed class JumpReluActivation(Tensor thresholds) : ElementwiseActivation
{
    private Tensor _thresholds = thresholds.DetachFromDisposeScope();

    public override string Kind => "JumpReLU";

    public Tensor Thresholds => _thresholds;

    internal override void MoveTo(Device device) => _thresholds = Placement.Move(_thresholds, device);

    protected override Tensor Apply(Tensor preActivations) => Where(preActivations.gt(_thresholds), preActivations.relu());

    protected override void Dispose(bool disposing) => _thresholds.Dispose();
}

/// <summary>
/// z_f = relu(exp(r_f) h_f + m_f) where h_f + g_f is positive (Rajamanoharan et al. 2024, arXiv 2404.16014).
/// </summary>
/// <param name="gate">g [n].</param>
/// <param name="magnitude">m [n].</param>
/// <param name="scale">r [n].</param>
internal sealed class GatedActivation(Tensor gate, Tensor magnitude, Tensor scale) : ElementwiseActivation
{
    private Tensor _gate = gate.DetachFromDisposeScope();
    private Tensor _magnitude = magnitude.DetachFromDisposeScope();
    private Tensor _scale = scale.DetachFromDisposeScope();

    public override string Kind => "Gated";

    public Tensor Gate => _gate;

    public Tensor Magnitude => _magnitude;

    public Tensor Scale => _scale;

    internal override void MoveTo(Device device)
    {
        _gate = Placement.Move(_gate, device);
        _magnitude = Placement.Move(_magnitude, device);
        _scale = Placement.Move(_scale, device);
    }

    protected override Tensor Apply(Tensor preActivations) =>
        Where(preActivations.Plus(_gate).IsAbove(0), (preActivations * _scale.exp()).Plus(_magnitude).relu());

    protected override void Dispose(bool disposing)
    {
        _gate.Dispose();
        _magnitude.Dispose();
        _scale.Dispose();
    }
}

internal static class Placement
{
    /// <summary>The tensor on a device, outside any scope; disposes the original if it was elsewhere.</summary>
    public static Tensor Move(Tensor tensor, Device device)
    {
        if (tensor.device_type == device.type && tensor.device_index == device.index)
            return tensor;
        var moved = tensor.to(device).DetachFromDisposeScope();
        if (!ReferenceEquals(moved, tensor))
            tensor.Dispose();
        return moved;
    }
}

/// <summary>
/// The few active features of each position, largest first: <paramref name="Indices"/> [..., k] int64 and
/// <paramref name="Values"/> [..., k] float32, at least 0. A value of 0 means that fewer than k features are active.
/// </summary>
/// <param name="Indices">Feature numbers, shape [..., k].</param>
/// <param name="Values">Activations z after relu, shape [..., k].</param>
/// <param name="Features">n, the size of the dictionary.</param>
public sealed record SparseCodes(Tensor Indices, Tensor Values, int Features) : IDisposable
{
    /// <summary>How the dictionary normalised each vector before it encoded it; null if it did not.</summary>
    public InputFrame? Frame { get; init; }

    /// <summary>
    /// Values in the site's units, [..., k]: how many times d_f a feature adds to the vector. Differs from <see cref="Values"/> only if the
    /// dictionary normalises its input.
    /// </summary>
    public Tensor Contributions() => Frame is { } frame ? Values * frame.Factor : Values.alias();

    /// <summary>z as a dense tensor [..., n]. Use it for few positions: for a whole grid it is large and mostly zeros.</summary>
    public Tensor ToDense()
    {
        using var scope = NewDisposeScope();
        var shape = Indices.shape;
        shape[^1] = Features;
        return zeros(shape, dtype: ScalarType.Float32, device: Values.device)
            .scatter_add_(-1, Indices, Values)
            .MoveToOuterDisposeScope();
    }

    /// <summary>z_f of one feature at every position: [...].</summary>
    public Tensor Map(int feature)
    {
        if (feature < 0 || feature >= Features)
            throw new SaeException($"Feature {feature} does not exist: the dictionary holds 0 to {Features - 1}.");
        using var scope = NewDisposeScope();
        return (Values * Indices.Is(feature).to(ScalarType.Float32)).sum(-1).MoveToOuterDisposeScope();
    }

    /// <summary>How many times d_f one feature adds to the vector at every position, in the site's units: [...].</summary>
    internal Tensor Contribution(int feature) => Frame is { } frame ? Map(feature) * frame.Factor.squeeze(-1) : Map(feature);

    public void Dispose()
    {
        Indices.Dispose();
        Values.Dispose();
        Frame?.Dispose();
    }
}

/// <summary>
/// How strongly features fire: mean and standard deviation of z_f over the positions where z_f &gt; 0
/// (<c>mean.pt</c>, <c>std.pt</c>), in the site's units (<see cref="SparseCodes.Contributions"/>); 0 for a feature that never fires.
/// </summary>
public sealed record ActivationScale(IReadOnlyList<float> Mean, IReadOnlyList<float>? StandardDeviation);

internal static class LastNonzero
{
    // As in the reference, smaller values do not count as firing.
    private const double Fired = 1e-3;

    /// <summary>One step of the counters [n]: 1 where a feature fired, else one more than before.</summary>
    public static void Update(Tensor counters, Tensor indices, Tensor values)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var fired = zeros_like(counters).scatter_add_(0, indices.reshape(-1), values.IsAbove(Fired).to(ScalarType.Int64).reshape(-1));
        counters.mul_(fired.Is(0).to(ScalarType.Int64)).AddInPlace(1);
    }
}
