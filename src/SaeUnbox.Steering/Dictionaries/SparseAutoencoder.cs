namespace SaeUnbox.Steering;

/// <summary>
/// A sparse autoencoder of what a block adds to its input, or of its output: one linear encoder, an activation and a linear decoder.
/// <code>z = activation(W_e (x - b_pre) + b_lat)      x_hat = W_d z + b_out</code>
/// In the reference (Gao et al. 2024, arXiv 2406.04093) the activation is relu of the k largest, and b_out is b_pre.
/// All mathematics is in float32, on the device of its tensors.
/// </summary>
public sealed class SparseAutoencoder : IFeatureDictionary
{
    // Bounds the dense pre-activations held at once: 64 Mi values, 256 MiB.
    private const long LargestChunk = 1L << 26;

    private Tensor? _outputBias;

    /// <summary>Creates an autoencoder that takes ownership of the tensors.</summary>
    /// <param name="config">Its shape.</param>
    /// <param name="encoderWeight">W_e [n, d].</param>
    /// <param name="dictionary">W_d transposed, [n, d]: row f is the direction d_f of feature f.</param>
    /// <param name="preBias">b_pre [d].</param>
    /// <param name="latentBias">b_lat [n].</param>
    /// <param name="statsLastNonzero">Training steps since each feature last fired, [n] int64.</param>
    public SparseAutoencoder(
        SaeConfig config, Tensor encoderWeight, Tensor dictionary, Tensor preBias, Tensor latentBias, Tensor statsLastNonzero)
    {
        config.Validate("SaeConfig");
        Config = config;
        EncoderWeight = Own(encoderWeight, ScalarType.Float32, config.Features, config.Width);
        Dictionary = Own(dictionary, ScalarType.Float32, config.Features, config.Width);
        PreBias = Own(preBias, ScalarType.Float32, config.Width);
        LatentBias = Own(latentBias, ScalarType.Float32, config.Features);
        StatsLastNonzero = Own(statsLastNonzero, ScalarType.Int64, config.Features);
    }

    public SaeConfig Config { get; internal set; }

    public int Features => Config.Features;

    public int Width => Config.Width;

    public int K => Config.K;

    /// <summary>W_e [n, d].</summary>
    public Tensor EncoderWeight { get; private set; }

    /// <summary>W_d transposed, [n, d], row-major: the column-major decoder of the reference, so d_f is one contiguous row.</summary>
    public Tensor Dictionary { get; private set; }

    /// <summary>b_pre [d].</summary>
    public Tensor PreBias { get; private set; }

    /// <summary>b_lat [n].</summary>
    public Tensor LatentBias { get; private set; }

    /// <summary>b_out [d], added to the reconstruction; null for b_pre, as in the reference.</summary>
    public Tensor? OutputBias
    {
        get => _outputBias;
        init => _outputBias = value is null ? null : Own(value, ScalarType.Float32, Config.Width);
    }

    /// <summary>Computes z from W_e (x - b_pre) + b_lat; null for the threshold of <see cref="Config"/>, or else top-k.</summary>
    public SparseActivation? Activation { get; init; }

    /// <summary>Applied to x before encoding, and undone after decoding.</summary>
    public InputNormalisation Normalisation { get; init; }

    /// <summary>How features become active, such as "TopK".</summary>
    public string Kind => (Activation ?? FromConfig()).Kind;

    public bool ReadsOutput { get; init; }

    /// <summary>Whether the reference can read it: top-k or one threshold, and one bias. Trained autoencoders have this form.</summary>
    public bool IsReferenceForm => Activation is null && OutputBias is null && Normalisation == InputNormalisation.None && !ReadsOutput;

    /// <summary>Training steps since each feature last fired, [n] int64.</summary>
    public Tensor StatsLastNonzero { get; private set; }

    /// <summary>Mean and standard deviation of each feature where it is active; null if they were not measured.</summary>
    public ActivationScale? Scale { get; set; }

    /// <summary>Where it was loaded from, for messages.</summary>
    public string Source { get; init; } = "the sparse autoencoder";

    public Device Device => EncoderWeight.device;

    /// <summary>Moves all tensors to a device.</summary>
    public SparseAutoencoder To(Device device)
    {
        EncoderWeight = Placement.Move(EncoderWeight, device);
        Dictionary = Placement.Move(Dictionary, device);
        PreBias = Placement.Move(PreBias, device);
        LatentBias = Placement.Move(LatentBias, device);
        StatsLastNonzero = Placement.Move(StatsLastNonzero, device);
        _outputBias = _outputBias is null ? null : Placement.Move(_outputBias, device);
        Activation?.MoveTo(device);
        return this;
    }

    public SparseCodes Encode(Tensor x)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var (flat, frame) = InputFrame.Apply(Normalisation, Flatten(x));
        var activation = Activation ?? FromConfig();
        var rows = Math.Max(1, LargestChunk / Config.Features);
        var indices = new List<Tensor>();
        var values = new List<Tensor>();
        for (long start = 0; start < Math.Max(flat.shape[0], 1); start += rows)
        {
            using var chunk = NewDisposeScope();
            var (top, where) = activation.Select(PreActivations(flat.narrow(0, start, Math.Min(rows, flat.shape[0] - start))));
            values.Add(top.MoveToOuterDisposeScope());
            indices.Add(where.MoveToOuterDisposeScope());
        }

        return new SparseCodes(Shape(Join(indices)), Shape(Join(values)), Config.Features)
        {
            Frame = frame is null ? null : new InputFrame(Shape(frame.Factor), frame.Offset is { } offset ? Shape(offset) : null),
        };

        Tensor Shape(Tensor tensor)
        {
            var shape = x.shape;
            shape[^1] = tensor.shape[^1];
            return tensor.view(shape).MoveToOuterDisposeScope();
        }
    }

    /// <summary>W_e (x - b_pre) + b_lat for rows x [p, d]: [p, n].</summary>
    internal Tensor PreActivations(Tensor rows) => RowProducts.Linear(rows - PreBias, EncoderWeight, LatentBias);

    public Tensor Decode(SparseCodes codes)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var shape = codes.Indices.shape;
        shape[^1] = Config.Width;
        using var entries = ActiveEntries.OfTopK(codes.Indices, codes.Values);
        var decoded = SparseKernels.For(Device)
            .Decode(entries, Dictionary, OutputBias ?? PreBias, Nesting.None(Config.Features))
            .view(shape);
        return (codes.Frame?.Restore(decoded) ?? decoded).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        EncoderWeight.Dispose();
        Dictionary.Dispose();
        PreBias.Dispose();
        LatentBias.Dispose();
        StatsLastNonzero.Dispose();
        _outputBias?.Dispose();
        Activation?.Dispose();
    }

    private SparseActivation FromConfig() =>
        Config.Threshold is { } threshold ? new ThresholdActivation(threshold) : new TopKActivation(Config.K);

    private static Tensor Join(List<Tensor> chunks)
    {
        var widest = chunks.Max(chunk => chunk.shape[^1]);
        var padded = chunks.Select(chunk => chunk.shape[^1] == widest
            ? chunk
            : cat([chunk, zeros([chunk.shape[0], widest - chunk.shape[^1]], dtype: chunk.dtype, device: chunk.device)], 1)).ToArray();
        return padded.Length == 1 ? padded[0] : cat(padded, 0);
    }

    private Tensor Flatten(Tensor x)
    {
        if (x.shape.Length == 0 || x.shape[^1] != Config.Width)
            throw new SaeException(
                $"{Source} reads {Config.Width} channels, the activations have shape [{string.Join(", ", x.shape)}].");
        return x.to(Device).to(ScalarType.Float32).reshape(-1, Config.Width);
    }

    private static Tensor Own(Tensor tensor, ScalarType dtype, params long[] shape)
    {
        if (!tensor.shape.SequenceEqual(shape) || tensor.dtype != dtype)
            throw new SaeException(
                $"A tensor of the sparse autoencoder is {tensor.dtype} [{string.Join(", ", tensor.shape)}], "
                + $"expected {dtype} [{string.Join(", ", shape)}].");
        return tensor.DetachFromDisposeScope();
    }
}
