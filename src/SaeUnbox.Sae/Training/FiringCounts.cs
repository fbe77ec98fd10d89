using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Sae.Training;

/// <summary>How often each feature was among the selected since the last reset.</summary>
public sealed class FiringCounts : IDisposable
{
    internal FiringCounts(int features, Device device)
    {
        Counts = zeros([features], dtype: ScalarType.Int64, device: device).DetachFromDisposeScope();
    }

    /// <summary>[n] int64.</summary>
    internal Tensor Counts { get; }

    /// <summary>Selected entries in all.</summary>
    public long Total { get; internal set; }

    internal void Update(Tensor features)
    {
        Counts.scatter_add_(0, features, ones_like(features));
        Total += features.numel();
    }

    /// <summary>log10(share of all selected entries + 1e-9) per feature, [n] float32, as the reference logs it.</summary>
    public Tensor LogShares()
    {
        using var scope = NewDisposeScope();
        return (Counts.to(ScalarType.Float32) / (float)Math.Max(Total, 1) + 1e-9f).log10().MoveToOuterDisposeScope();
    }

    public void Reset()
    {
        Counts.zero_();
        Total = 0;
    }

    public void Dispose() => Counts.Dispose();
}
