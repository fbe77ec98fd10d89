using System.Diagnostics.CodeAnalysis;

namespace SaeUnbox.Steering;

/// <summary>Loads sparse autoencoders in every layout that <c>docs/dictionaries.md</c> lists, as data only.</summary>
public static class SaeLoader
{
    // The demo's k, used if the files do not give the mean number of active features. It only scales icons.
    private const int UsualK = 10;

    /// <summary>Identifies an autoencoder by its weights file.</summary>
    /// <param name="path">As <see cref="Load"/> takes it.</param>
    /// <exception cref="SaeException">There is none.</exception>
    public static string FingerprintOf(string path) => FileFingerprint.Compute([("weights", DictionaryFiles.Find(path).Weights)]);

    /// <summary>
    /// Loads from a folder (or its parent), a <c>.pth</c>, <c>.pt</c> or safetensors file, in any floating type; weights
    /// become float32 on <paramref name="device"/>. Reads <c>mean.pt</c> and <c>std.pt</c> if they exist.
    /// </summary>
    /// <param name="path">The folder or the file.</param>
    /// <param name="device">The CPU if null.</param>
    /// <param name="k">Active features per position, for layouts that do not store them; null to use the value in the files.</param>
    /// <exception cref="SaeException">Files are missing or have an unknown layout, or the configuration is wrong.</exception>
    /// <exception cref="CheckpointException">The checkpoint is broken or its tensors do not fit the configuration.</exception>
    public static SparseAutoencoder Load(string path, Device? device = null, int? k = null)
    {
        try
        {
            var files = DictionaryFiles.Find(path);
            using var source = DictionarySource.Open(files, k);
            var form = DictionaryLayout.FormOf(source);
            RequireExactly(source, form);
            var sae = Read(source, form, path);
            try
            {
                sae.Scale = LoadScale(files.Scales, form.Features);
                return sae.To(device ?? CPU);
            }
            catch
            {
                sae.Dispose();
                throw;
            }
        }
        catch (ModelException e)
        {
            throw new SaeException(e.Message, e);
        }
    }

    /// <summary>Every tensor that is missing, of another shape, or unknown.</summary>
    internal static IReadOnlyList<string> Misfits(DictionarySource source, DictionaryForm form)
    {
        var problems = new List<string>();
        var expected = form.Expected();
        foreach (var (name, shape) in expected)
        {
            if (!source.Tensors.TryGetValue(name, out var entry))
                problems.Add($"{name} is missing");
            else if (!entry.Shape.SequenceEqual(shape))
                problems.Add($"{name} is [{string.Join(", ", entry.Shape)}], expected is [{string.Join(", ", shape)}]");
        }

        problems.AddRange(source.Tensors.Keys.Where(name => !expected.ContainsKey(name)).Select(name => $"{name} is unknown"));
        return problems;
    }

    private static void RequireExactly(DictionarySource source, DictionaryForm form)
    {
        if (Misfits(source, form) is { Count: > 0 } problems)
            throw new CheckpointException($"{source.Files.Weights} (layout {form.Layout}): {string.Join("; ", problems)}.");
    }

    private static SparseAutoencoder Read(DictionarySource source, DictionaryForm form, string path)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var (features, width) = (form.Features, form.Width);
        var config = form.Config ?? ConfigOf(form);
        // Reports a size that is too large before allocating memory.
        config.Validate(source.Files.Config ?? source.Files.Weights);
        var encoder = Matrix(form.Encoder);
        var dictionary = Matrix(form.Decoder);
        var latentBias = Vector(form.LatentBias, features);
        var inputBias = Vector(form.InputBias, width);
        var outputBias = form.OutputBias == form.InputBias ? null : Vector(form.OutputBias, width);
        var counters = zeros([features], dtype: ScalarType.Int64);
        if (source.Has(TensorNames.StatsLastNonzero) && form.Unused.ContainsKey(TensorNames.StatsLastNonzero))
            source.Read(TensorNames.StatsLastNonzero, counters);
        var vectors = form.Activation.Vectors.Select(name => Vector(name, features)).ToArray();

        if (form.DirectionFactor is { } factor)
            dictionary.mul_(Vector(factor, features).unsqueeze(1));
        if (form.HasUnitDirections)
            dictionary.div_(Lengths());
        if (form.DirectionLogLength is { } multiplier)
            dictionary.MultiplyInPlace(Math.Exp(source.Numbers(multiplier)[0]));
        if (form.Activation is JumpReluForm { IsLogarithm: true })
            vectors[0].exp_();
        if (form.FoldsDirectionLength)
            Fold(Lengths(), vectors);
        if (form.InputScale is not 1)
        {
            encoder.MultiplyInPlace(form.InputScale);
            foreach (var part in new[] { dictionary, inputBias, outputBias }.OfType<Tensor>())
                part.DivideInPlace(form.InputScale);
        }

        return new SparseAutoencoder(config, encoder, dictionary, inputBias, latentBias, counters)
        {
            OutputBias = outputBias,
            Activation = Activation(form.Activation, vectors),
            Normalisation = form.Normalisation,
            ReadsOutput = form.ReadsOutput,
            Source = path,
        };

        Tensor Matrix(StoredMatrix stored)
        {
            var target = empty([features, width], dtype: ScalarType.Float32);
            source.Read(stored.Name, stored.FeaturesFirst ? target : target.t());
            return target;
        }

        Tensor Vector(string? name, int length)
        {
            var target = zeros([length], dtype: ScalarType.Float32);
            if (name is not null)
                source.Read(name, target);
            return target;
        }

        // Leaves directions of zeros unchanged.
        Tensor Lengths()
        {
            var lengths = dictionary.Square().sum(1, keepdim: true).sqrt();
            return lengths.Plus(lengths.IsAbove(0).logical_not().to(ScalarType.Float32));
        }

        void Fold(Tensor lengths, Tensor[] others)
        {
            dictionary.div_(lengths);
            encoder.mul_(lengths);
            latentBias.mul_(lengths.squeeze(1));
            // The exponent of the gated kind is a factor, not a bias.
            foreach (var bias in form.Activation is GatedForm ? others[..2] : others)
                bias.mul_(lengths.squeeze(1));
        }
    }

    private static SaeConfig ConfigOf(DictionaryForm form) => new(
        form.Features,
        form.Width,
        form.Activation.K ?? (form.Activation as ThresholdForm)?.MeanK ?? Math.Min(UsualK, form.Features),
        AuxK: null,
        DeadStepsThreshold: 0,
        (form.Activation as ThresholdForm)?.Threshold,
        form.PrefixSizes);

    private static SparseActivation? Activation(ActivationForm form, Tensor[] vectors) => form switch
    {
        GroupMaxForm groups => new GroupMaxActivation(groups.Count),
        ReluForm => new ReluActivation(),
        JumpReluForm => new JumpReluActivation(vectors[0]),
        GatedForm => new GatedActivation(vectors[0], vectors[1], vectors[2]),
        _ => null,
    };

    private static ActivationScale? LoadScale(IReadOnlyList<ScaleFiles> places, int features)
    {
        if (places.FirstOrDefault(place => File.Exists(place.Mean)) is not { } files)
            return null;
        return TryVector(files.Mean, out var mean)
            ? new ActivationScale(mean, TryVector(files.Deviation, out var deviation) ? deviation : null)
            : null;

        bool TryVector(string path, [NotNullWhen(true)] out float[]? values)
        {
            values = null;
            if (!File.Exists(path))
                return false;
            using var scope = NewDisposeScope();
            using var checkpoint = Checkpoint.Open(path);
            if (checkpoint.Entries.Count != 1 || !checkpoint.Entries.Values.First().Shape.SequenceEqual([(long)features]))
                throw new SaeException($"{path}: must hold one tensor [{features}].");
            var target = empty([features], dtype: ScalarType.Float32);
            checkpoint.Read(checkpoint.Entries.Keys.First(), target);
            values = target.data<float>().ToArray();
            return values.All(float.IsFinite) ? true : throw new SaeException($"{path}: holds a value that is no finite number.");
        }
    }
}

/// <summary>Writes sparse autoencoders so that the reference can load them.</summary>
public static class SaeWriter
{
    /// <summary>
    /// Writes a folder in the reference's layout: <c>config.json</c>, <c>state_dict.pth</c> (the decoder column-major), and
    /// <c>mean.pt</c>, <c>std.pt</c> where they are known.
    /// </summary>
    /// <param name="folder">Created if it does not exist.</param>
    /// <param name="dtype">Type of the weights. Float16 takes half the space; readers convert it to float32.</param>
    /// <exception cref="CheckpointException">A file cannot be written.</exception>
    /// <exception cref="SaeException">The layout has no such kind.</exception>
    public static void Save(SparseAutoencoder sae, string folder, ScalarType dtype = ScalarType.Float32)
    {
        if (sae.Activation is not null || sae.Normalisation != InputNormalisation.None)
            throw DictionaryConversion.Refuse(sae, "sdxl-unbox");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var bias = sae.OutputBias ?? sae.PreBias;
        Files.CreateFolder(folder);
        TorchFileWriter.Write(Path.Combine(folder, "state_dict.pth"), new Dictionary<string, object?>
        {
            [TensorNames.StateDict] = new Dictionary<string, object?>
            {
                [TensorNames.PreBias] = bias.cpu().to(dtype),
                [TensorNames.LatentBias] = DictionaryConversion.LatentBiasFor(sae, bias).cpu().to(dtype),
                [TensorNames.StatsLastNonzero] = sae.StatsLastNonzero.cpu(),
                [TensorNames.EncoderWeight] = sae.EncoderWeight.cpu().to(dtype),
                [TensorNames.DecoderWeight] = sae.Dictionary.cpu().to(dtype).t(),
            },
        });
        AtomicFile.WriteAllText(Path.Combine(folder, "config.json"), sae.Config.ToJson());
        if (sae.Scale is { } scale)
            SaveScale(scale, folder);
    }

    /// <summary>
    /// Writes <c>mean.pt</c> and <c>std.pt</c>, bare tensors, into a dictionary's folder, or <c>NAME.mean.pt</c> and <c>NAME.std.pt</c>
    /// beside a dictionary that is one file.
    /// </summary>
    public static void SaveScale(ActivationScale scale, string path)
    {
        using var scope = NewDisposeScope();
        var files = File.Exists(path) ? ScaleFiles.Beside(path) : ScaleFiles.In(path);
        TorchFileWriter.Write(files.Mean, tensor(scale.Mean.ToArray()));
        if (scale.StandardDeviation is { } deviation)
            TorchFileWriter.Write(files.Deviation, tensor(deviation.ToArray()));
    }
}

/// <summary>The names of the tensors in a published file.</summary>
internal static class TensorNames
{
    public const string StateDict = "state_dict";
    public const string EncoderWeight = "encoder.weight";
    public const string DecoderWeight = "decoder.weight";
    public const string PreBias = "pre_bias";
    public const string LatentBias = "latent_bias";
    public const string StatsLastNonzero = "stats_last_nonzero";
}

/// <summary>File operations that report a failure in one sentence.</summary>
internal static class Files
{
    public static void CreateFolder(string path) => Try(path, "created", () => Directory.CreateDirectory(path));

    public static void Append(string path, string text) => Try(path, "written", () => File.AppendAllText(path, text));

    private static void Try(string path, string verb, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SaeException($"{path}: could not be {verb} ({e.Message})", e);
        }
    }
}
