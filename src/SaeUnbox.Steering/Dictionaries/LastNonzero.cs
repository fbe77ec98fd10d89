using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

internal static class LastNonzero
{
    // The reference's bound for "fired"; a value between 0 and this does not count.
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
