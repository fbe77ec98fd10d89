namespace SaeUnbox.Testing;

/// <summary>
/// How far another correct float32 implementation may be off, as the goldens' README has it: for values up to a size. Where a folder's
/// values are larger, rounding grows with them.
/// </summary>
/// <param name="Absolute">Largest difference where no value is beyond <paramref name="Size"/>.</param>
/// <param name="Size">The largest value in the folder for which it was found.</param>
public readonly record struct Limit(double Absolute, double Size)
{
    public static Limit TextStates { get; } = new(3e-5, 7.3);

    public static Limit TextPooled { get; } = new(3e-5, 2.3);

    public static Limit UNetOutput { get; } = new(6e-4, 4.5);

    public static Limit Block { get; } = new(3.5e-3, 43);

    /// <summary>Of blocks in guided runs of several steps, whose inputs differ as well.</summary>
    public static Limit GuidedBlock { get; } = new(1.4e-2, 43);

    public static Limit Decoded { get; } = new(3e-5, 2.4);

    public static Limit Encoded { get; } = new(2e-4, 9);

    public static Limit TinyDecoded { get; } = new(3e-5, 4);

    public static Limit Codes { get; } = new(2e-5, 20);

    /// <summary>Of the final latents of a run.</summary>
    public static Limit Latents(bool isGuided) => isGuided ? new(4e-2, 108) : new(1e-2, 96);

    /// <summary>Values stored in half precision, whose last place near 100 is worth a sixteenth.</summary>
    public Limit StoredAsHalf() => this with { Absolute = Absolute + .05 };

    /// <summary>What is allowed beside these values.</summary>
    public double For(TorchSharp.torch.Tensor expected) =>
        expected.numel() == 0
            ? Absolute
            : Absolute * Math.Max(1, expected.detach().abs().max().to(TorchSharp.torch.float64).item<double>() / Size);
}
