using TorchSharp;

namespace SaeUnbox.Lab;

/// <summary>How collected activations are stored.</summary>
public sealed record CollectionOptions
{
    /// <summary>Items (pictures and steps) in one file; what an interruption can lose.</summary>
    public int ItemsPerShard { get; init; } = 256;

    /// <summary>Type of the stored numbers: Float16, BFloat16 or Float32.</summary>
    public torch.ScalarType DType { get; init; } = torch.ScalarType.Float16;

    /// <summary>Most bytes the whole folder may take (workers side by side: a shard of each more); null: no bound.</summary>
    public long? DiskBudget { get; init; }

    /// <summary>The first item of this worker; workers of one folder take ranges that do not overlap.</summary>
    public long FirstItem { get; init; }

    internal void Validate()
    {
        if (ItemsPerShard < 1)
            throw new SaeException($"Collection option {nameof(ItemsPerShard)} is {ItemsPerShard}, it must be at least 1.");
        if (DType is not (torch.ScalarType.Float16 or torch.ScalarType.BFloat16 or torch.ScalarType.Float32))
            throw new SaeException($"Collection option {nameof(DType)} is {DType}, it must be Float16, BFloat16 or Float32.");
        if (FirstItem < 0)
            throw new SaeException($"Collection option {nameof(FirstItem)} is {FirstItem}, it must be at least 0.");
    }
}
