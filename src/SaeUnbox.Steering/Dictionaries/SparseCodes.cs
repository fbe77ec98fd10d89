using static TorchSharp.torch;

namespace SaeUnbox.Steering;

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
