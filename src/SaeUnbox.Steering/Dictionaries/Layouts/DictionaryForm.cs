namespace SaeUnbox.Steering;

/// <summary>
/// How a layout stores one dictionary: its kind and size, and the tensors for the parts of
/// <code>z = activation(W_e (x - b_in) + b_lat)      x_hat = W_d z + b_out</code>
/// </summary>
internal sealed record DictionaryForm
{
    /// <summary>The program that writes the layout, such as "SAELens".</summary>
    public required string Layout { get; init; }

    /// <summary>n, from the encoder's shape.</summary>
    public required int Features { get; init; }

    /// <summary>d, from the encoder's shape.</summary>
    public required int Width { get; init; }

    public required ActivationForm Activation { get; init; }

    public required StoredMatrix Encoder { get; init; }

    public required StoredMatrix Decoder { get; init; }

    /// <summary>The tensor [n] that is b_lat; null for 0.</summary>
    public string? LatentBias { get; init; }

    /// <summary>The tensor [d] that is b_in; null for 0.</summary>
    public string? InputBias { get; init; }

    /// <summary>The tensor [d] that is b_out; null for 0.</summary>
    public string? OutputBias { get; init; }

    public InputNormalisation Normalisation { get; init; }

    /// <summary>Whether x is the output of the site rather than what it adds to its input.</summary>
    public bool ReadsOutput { get; init; }

    /// <summary>
    /// Whether z is in units of |d_f|: W_e, biases and thresholds are then multiplied by |d_f|, and d_f is divided by it.
    /// </summary>
    public bool FoldsDirectionLength { get; init; }

    /// <summary>A factor of x to fold into the weights: W_e is multiplied by it, W_d and biases of width d are divided by it.</summary>
    public double InputScale { get; init; } = 1;

    /// <summary>A scalar tensor: directions are scaled to the length of its exponential. Null keeps them as stored.</summary>
    public string? DirectionLogLength { get; init; }

    /// <summary>Whether directions are normalised to length 1.</summary>
    public bool HasUnitDirections { get; init; }

    /// <summary>A tensor [n] that multiplies the directions; null for 1.</summary>
    public string? DirectionFactor { get; init; }

    /// <summary>Known tensors that are not needed, with their shapes.</summary>
    public IReadOnlyDictionary<string, long[]> Unused { get; init; } = new Dictionary<string, long[]>();

    /// <summary>Sizes of nested dictionaries, ending with n; null for one.</summary>
    public IReadOnlyList<int>? PrefixSizes { get; init; }

    /// <summary>The reference's own configuration, where the layout has it.</summary>
    public SaeConfig? Config { get; init; }

    /// <summary>Every tensor of the form, with the shape it must have.</summary>
    public IReadOnlyDictionary<string, long[]> Expected()
    {
        var expected = new Dictionary<string, long[]>(Unused)
        {
            [Encoder.Name] = Encoder.Shape(Features, Width),
            [Decoder.Name] = Decoder.Shape(Features, Width),
        };
        foreach (var name in new[] { LatentBias, DirectionFactor }.Concat(Activation.Vectors).OfType<string>())
            expected[name] = [Features];
        foreach (var name in new[] { InputBias, OutputBias }.OfType<string>())
            expected[name] = [Width];
        return expected;
    }
}

/// <summary>A stored matrix of a dictionary.</summary>
/// <param name="FeaturesFirst">[n, d]; else [d, n].</param>
internal sealed record StoredMatrix(string Name, bool FeaturesFirst)
{
    public long[] Shape(long features, long width) => FeaturesFirst ? [features, width] : [width, features];
}

/// <summary>An activation before its tensors are read.</summary>
internal abstract record ActivationForm(string Kind)
{
    /// <summary>The tensors [n] it takes.</summary>
    public virtual IReadOnlyList<string> Vectors => [];

    /// <summary>Active features per position; null if it varies.</summary>
    public virtual int? K => null;
}

internal sealed record TopKForm(int Count, string Kind = "TopK") : ActivationForm(Kind)
{
    public override int? K => Count;
}

internal sealed record GroupMaxForm(int Count) : ActivationForm("GroupMax")
{
    public override int? K => Count;
}

internal sealed record ReluForm() : ActivationForm("ReLU");

/// <param name="MeanK">The mean number of active features; null if the file does not store it.</param>
internal sealed record ThresholdForm(float Threshold, int? MeanK, string Kind = "BatchTopK") : ActivationForm(Kind);

/// <param name="IsLogarithm">Whether the tensor holds the thresholds' logarithms.</param>
internal sealed record JumpReluForm(string Thresholds, bool IsLogarithm = false) : ActivationForm("JumpReLU")
{
    public override IReadOnlyList<string> Vectors => [Thresholds];
}

internal sealed record GatedForm(string Gate, string Magnitude, string Scale) : ActivationForm("Gated")
{
    public override IReadOnlyList<string> Vectors => [Gate, Magnitude, Scale];
}
