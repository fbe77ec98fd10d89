using System.Diagnostics.CodeAnalysis;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>Loads sparse autoencoders as they are published.</summary>
public static class SaeLoader
{
    // The level a training script may put around the tensors.
    private const string StateDictLevel = TensorNames.StateDict + ".";

    /// <summary>Tells autoencoders apart by their weights' file, wherever it lies.</summary>
    /// <param name="path">As <see cref="Load"/> takes it.</param>
    /// <exception cref="SaeException">There is none.</exception>
    public static string FingerprintOf(string path) => FileFingerprint.Of([("weights", SaeFiles.Find(path).Weights)]);

    /// <summary>
    /// Loads from a folder (or its parent), a <c>.pth</c>, <c>.pt</c> or safetensors file, in any floating type; weights
    /// become float32 on <paramref name="device"/>. <c>mean.pt</c> and <c>std.pt</c> are read where they are.
    /// </summary>
    /// <exception cref="SaeException">Files are missing, or the configuration is wrong.</exception>
    /// <exception cref="CheckpointException">The checkpoint is broken or its tensors do not fit the configuration.</exception>
    public static SparseAutoencoder Load(string path, Device? device = null)
    {
        var files = SaeFiles.Find(path);
        var config = SaeConfig.Load(files.Config);
        using var checkpoint = Checkpoint.Open(files.Weights);
        var prefix = checkpoint.Entries.Keys.Any(name => name.StartsWith(StateDictLevel, StringComparison.Ordinal)) ? StateDictLevel : "";
        long features = config.Features, width = config.Width;
        var expected = new Dictionary<string, long[]>
        {
            [TensorNames.EncoderWeight] = [features, width],
            [TensorNames.DecoderWeight] = [width, features],
            [TensorNames.PreBias] = [width],
            [TensorNames.LatentBias] = [features],
            [TensorNames.StatsLastNonzero] = [features],
        };
        // Some publishers leave the training counters out.
        if (!checkpoint.Entries.ContainsKey(prefix + TensorNames.StatsLastNonzero))
            expected.Remove(TensorNames.StatsLastNonzero);
        RequireExactly(checkpoint, prefix, expected);

        using var scope = NewDisposeScope();
        var encoder = empty([features, width], dtype: ScalarType.Float32);
        var dictionary = empty([features, width], dtype: ScalarType.Float32);
        var preBias = empty([width], dtype: ScalarType.Float32);
        var latentBias = empty([features], dtype: ScalarType.Float32);
        var counters = zeros([features], dtype: ScalarType.Int64);
        checkpoint.Read(prefix + TensorNames.EncoderWeight, encoder);
        checkpoint.Read(prefix + TensorNames.DecoderWeight, dictionary.t());
        checkpoint.Read(prefix + TensorNames.PreBias, preBias);
        checkpoint.Read(prefix + TensorNames.LatentBias, latentBias);
        if (expected.ContainsKey(TensorNames.StatsLastNonzero))
            checkpoint.Read(prefix + TensorNames.StatsLastNonzero, counters);
        var sae = new SparseAutoencoder(config, encoder, dictionary, preBias, latentBias, counters)
        {
            Source = path,
            Scale = LoadScale(files.Folder, config.Features),
        };
        try
        {
            return sae.To(device ?? CPU);
        }
        catch
        {
            sae.Dispose();
            throw;
        }
    }

    private static ActivationScale? LoadScale(string folder, int features)
    {
        return TryVector("mean", out var mean)
            ? new ActivationScale(mean, TryVector("std", out var deviation) ? deviation : null)
            : null;

        bool TryVector(string name, [NotNullWhen(true)] out float[]? values)
        {
            var path = Path.Combine(folder, name + ".pt");
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

    private static void RequireExactly(Checkpoint checkpoint, string prefix, Dictionary<string, long[]> expected)
    {
        var problems = new List<string>();
        foreach (var (name, shape) in expected)
        {
            if (!checkpoint.Entries.TryGetValue(prefix + name, out var entry))
                problems.Add($"{name} is missing");
            else if (!entry.Shape.SequenceEqual(shape))
                problems.Add($"{name} is [{string.Join(", ", entry.Shape)}], the configuration says [{string.Join(", ", shape)}]");
        }

        problems.AddRange(checkpoint.Entries.Keys
            .Where(name => !name.StartsWith(prefix, StringComparison.Ordinal) || !expected.ContainsKey(name[prefix.Length..]))
            .Select(name => $"{name} is unknown"));
        if (problems.Count > 0)
            throw new CheckpointException($"{checkpoint.Path}: {string.Join("; ", problems)}.");
    }
}
