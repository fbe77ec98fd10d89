using static TorchSharp.torch;

namespace SaeUnbox.Steering;

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
