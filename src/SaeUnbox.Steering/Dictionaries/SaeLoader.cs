using System.Diagnostics.CodeAnalysis;
using static TorchSharp.torch;

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
