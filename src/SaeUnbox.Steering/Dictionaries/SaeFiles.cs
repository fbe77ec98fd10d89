using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>The files of one sparse autoencoder, wherever they lie.</summary>
/// <param name="Weights">A checkpoint with its tensors.</param>
/// <param name="Config">Its <c>config.json</c>.</param>
/// <param name="Folder">Where <c>mean.pt</c> and <c>std.pt</c> would be.</param>
internal sealed record SaeFiles(string Weights, string Config, string Folder)
{
    private const string ConfigName = "config.json";

    // In order of preference; the second is what is written for programs that read no pickles.
    private static readonly string[] WeightNames = ["state_dict.pth", "model.safetensors", "state_dict.safetensors", "state_dict.pt"];

    /// <summary>
    /// Finds the files from a folder that holds them, its parent (they then lie in <c>final</c>), or a checkpoint with
    /// <c>NAME.config.json</c> or <c>config.json</c> beside it.
    /// </summary>
    public static SaeFiles Find(string path)
    {
        if (File.Exists(path))
            return FromFile(path);
        if (!Directory.Exists(path))
            throw new SaeException($"{path}: there is no such file or folder.");
        return TryFolder(path)
            ?? TryFolder(Path.Combine(path, "final"))
            ?? throw new SaeException(
                $"{path}: no sparse autoencoder is here or in final/ ({ConfigName} with {WeightNames[0]} or {WeightNames[1]}).");
    }

    /// <summary>Whether the folder itself holds an autoencoder.</summary>
    public static SaeFiles? TryFolder(string folder)
    {
        var config = Path.Combine(folder, ConfigName);
        var weights = WeightNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);
        return weights is not null && File.Exists(config) ? new SaeFiles(weights, config, folder) : null;
    }

    private static SaeFiles FromFile(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var own = Path.Combine(folder, Path.GetFileNameWithoutExtension(path) + "." + ConfigName);
        var shared = Path.Combine(folder, ConfigName);
        var config = File.Exists(own) ? own
            : File.Exists(shared) ? shared
            : throw new SaeException($"{path}: neither {Path.GetFileName(own)} nor {ConfigName} lies beside it.");
        return new SaeFiles(path, config, folder);
    }
}

/// <summary>Loads sparse autoencoders as they are published.</summary>
public static class SaeLoader
{
    // The level a training script may put around the tensors.
    private const string StateDictLevel = TensorNames.StateDict + ".";

    /// <summary>Tells autoencoders apart by their weights' file, wherever it lies.</summary>
    /// <param name="path">As <see cref="Load"/> takes it.</param>
    /// <exception cref="SaeException">There is none.</exception>
    public static string FingerprintOf(string path) => FileFingerprint.Compute([("weights", SaeFiles.Find(path).Weights)]);

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

/// <summary>Writes sparse autoencoders so that the reference can load them.</summary>
public static class SaeWriter
{
    /// <summary>
    /// Writes a folder in the reference's layout: <c>config.json</c>, <c>state_dict.pth</c> (the decoder column-major), and
    /// <c>mean.pt</c>, <c>std.pt</c> where they are known.
    /// </summary>
    /// <param name="sae">What is written.</param>
    /// <param name="folder">Made where it is missing.</param>
    /// <param name="dtype">Of the weights: Float16 takes half the room; readers make float32 of it.</param>
    /// <exception cref="CheckpointException">A file cannot be written.</exception>
    public static void Save(SparseAutoencoder sae, string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        Files.CreateFolder(folder);
        TorchFileWriter.Write(Path.Combine(folder, "state_dict.pth"), new Dictionary<string, object?>
        {
            [TensorNames.StateDict] = new Dictionary<string, object?>
            {
                [TensorNames.PreBias] = sae.PreBias.cpu().to(dtype),
                [TensorNames.LatentBias] = sae.LatentBias.cpu().to(dtype),
                [TensorNames.StatsLastNonzero] = sae.StatsLastNonzero.cpu(),
                [TensorNames.EncoderWeight] = sae.EncoderWeight.cpu().to(dtype),
                [TensorNames.DecoderWeight] = sae.Dictionary.cpu().to(dtype).t(),
            },
        });
        AtomicFile.WriteAllText(Path.Combine(folder, "config.json"), sae.Config.ToJson());
        if (sae.Scale is { } scale)
            SaveScale(scale, folder);
    }

    /// <summary>Writes <c>mean.pt</c> and <c>std.pt</c>, bare tensors, beside an autoencoder's weights.</summary>
    public static void SaveScale(ActivationScale scale, string folder)
    {
        using var scope = NewDisposeScope();
        TorchFileWriter.Write(Path.Combine(folder, "mean.pt"), tensor(scale.Mean.ToArray()));
        if (scale.StandardDeviation is { } deviation)
            TorchFileWriter.Write(Path.Combine(folder, "std.pt"), tensor(deviation.ToArray()));
    }
}

/// <summary>
/// The name of a sparse autoencoder's folder: the site, then its hyper-parameters, as in
/// <c>unet.mid_block.attentions.0_k10_hidden5120_auxk256_bs4096_lr0.0001</c>.
/// </summary>
/// <param name="Site">The block it reads.</param>
/// <param name="Rest">Everything behind the site, without the leading underscore.</param>
public sealed partial record SaeFolderName(Site Site, string Rest)
{
    /// <summary>Reads a folder's name; the site may stand as its module path or as its code (<c>mid.0_k10</c>).</summary>
    public static bool TryParse(string name, [NotNullWhen(true)] out SaeFolderName? result)
    {
        result = null;
        var match = Pattern().Match(name);
        if (!match.Success)
            return false;
        var site = match.Groups["site"].Value;
        if (Site.TryParseModulePath(site, out var parsed) || Site.TryParse(site, out parsed))
            result = new SaeFolderName(parsed, match.Groups["rest"].Value);
        return result is not null;
    }

    /// <summary>Whether its hyper-parameters begin with these, such as <c>k10_hidden5120</c>; whole numbers only.</summary>
    public bool IsVariant(string variant) =>
        Rest.StartsWith(variant, StringComparison.Ordinal) && (Rest.Length == variant.Length || Rest[variant.Length] == '_');

    /// <summary>The reference's name for an autoencoder trained with these numbers.</summary>
    public static string Of(Site site, int k, int features, int? auxK, int batchSize, double learningRate) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{site.ModulePath}_k{k}_hidden{features}_auxk{(auxK is { } count ? count : "None")}")
        + string.Create(CultureInfo.InvariantCulture, $"_bs{batchSize}_lr{PythonNumber(learningRate)}");

    // Python writes 0.0001 but 1e-05, .NET 0.0001 but 1E-05.
    private static string PythonNumber(double value) =>
        value.ToString("R", CultureInfo.InvariantCulture).Replace("E-0", "e-0").Replace("E-", "e-").Replace("E+", "e+");

    [GeneratedRegex(@"^(?<site>[a-z_]+(\.[a-z_]+|\.\d+)+)(_(?<rest>k\d.*))?$", RegexOptions.CultureInvariant)]
    private static partial Regex Pattern();
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

/// <summary>File operations whose failure is told in one sentence.</summary>
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
