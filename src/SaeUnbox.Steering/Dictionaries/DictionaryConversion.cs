using System.Text.Json.Nodes;

namespace SaeUnbox.Steering;

/// <summary>Writes dictionaries in the layouts of other programs.</summary>
public static class DictionaryConversion
{
    private static readonly Dictionary<string, Action<SparseAutoencoder, string, Site?>> Writers = new()
    {
        ["sdxl-unbox"] = (sae, folder, _) => SaeWriter.Save(sae, folder),
        ["saelens"] = SaeLensWriter.Save,
        ["dictionary_learning"] = (sae, folder, _) => DictionaryLearningWriter.Save(sae, folder),
    };

    /// <summary>The layouts that can be written.</summary>
    public static IReadOnlyCollection<string> Layouts => Writers.Keys;

    /// <summary>
    /// Converts one dictionary into the folder <paramref name="target"/>, or each of a folder of several into a folder in it. Means and
    /// standard deviations are written, too, if they are known.
    /// </summary>
    /// <param name="source">As <see cref="SaeLoader.Load"/> or <see cref="SaeSet.Find"/> takes it.</param>
    /// <param name="target">Created if it does not exist.</param>
    /// <param name="layout">One of <see cref="Layouts"/>.</param>
    /// <param name="k">Active features per position, for layouts that do not store them.</param>
    /// <returns>The folders that were written.</returns>
    /// <exception cref="SaeException">The source is not a dictionary, or the layout has no such kind.</exception>
    /// <exception cref="CheckpointException">A file is broken or cannot be written.</exception>
    public static IReadOnlyList<string> Run(string source, string target, string layout, int? k = null)
    {
        var save = Writers[layout];
        var written = new List<string>();
        if (DictionaryHeader.IsOne(source))
        {
            var site = File.Exists(source) || Directory.Exists(source) ? DictionaryHeader.SiteOf(source) : null;
            Convert(source, target, site);
            return written;
        }

        foreach (var (site, path) in SaeSet.Find(source))
            Convert(path, Path.Combine(target, site.ModulePath), site);
        return written;

        void Convert(string from, string folder, Site? site)
        {
            using var sae = SaeLoader.Load(from, k: k);
            if (sae.ReadsOutput)
                throw new SaeException($"{sae.Source}: a dictionary of the site's output; the layout {layout} cannot say so, "
                    + "and would be taken for one of what the site adds.");
            save(sae, folder, site);
            if (sae.Scale is { } scale)
                SaeWriter.SaveScale(scale, folder);
            written.Add(folder);
        }
    }

    internal static SaeException Refuse(SparseAutoencoder sae, string layout) => new(
        $"{sae.Source}: the layout {layout} has no room for this dictionary "
        + $"({sae.Kind}{(sae.Normalisation == InputNormalisation.None ? "" : $", input normalised by {sae.Normalisation}")}); saelens "
        + "holds all kinds but GroupMax.");

    /// <summary>
    /// b_lat for an encoder that subtracts another bias: W_e (x - b_pre) + b_lat = W_e (x - bias) + b_lat + W_e (bias - b_pre).
    /// </summary>
    internal static Tensor LatentBiasFor(SparseAutoencoder sae, Tensor bias) => ReferenceEquals(bias, sae.PreBias)
        ? sae.LatentBias
        : sae.LatentBias.Plus(RowProducts.Linear((bias - sae.PreBias).unsqueeze(0), sae.EncoderWeight).squeeze(0));

    /// <summary>The two biases of the gated kind, with b_lat included.</summary>
    internal static (Tensor Gate, Tensor Magnitude) BiasesOf(GatedActivation gated, Tensor latentBias) =>
        (gated.Gate.Plus(latentBias), gated.Magnitude.Plus(gated.Scale.exp() * latentBias));
}

/// <summary>Writes SAELens 6: cfg.json and sae_weights.safetensors. BatchTopK is JumpReLU with one threshold.</summary>
internal static class SaeLensWriter
{
    public static void Save(SparseAutoencoder sae, string folder, Site? site)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var subtracts = sae.OutputBias is null;
        var latentBias = DictionaryConversion.LatentBiasFor(sae, subtracts ? sae.PreBias : zeros_like(sae.PreBias));
        var tensors = new Dictionary<string, Tensor>
        {
            ["W_enc"] = sae.EncoderWeight.t(),
            ["W_dec"] = sae.Dictionary,
            ["b_dec"] = sae.OutputBias ?? sae.PreBias,
        };
        var config = new JsonObject
        {
            ["d_in"] = sae.Width,
            ["d_sae"] = sae.Features,
            ["dtype"] = "float32",
            ["device"] = "cpu",
            ["apply_b_dec_to_input"] = subtracts,
            ["normalize_activations"] = sae.Normalisation switch
            {
                InputNormalisation.ConstantNorm => "constant_norm_rescale",
                InputNormalisation.Standard => "layer_norm",
                _ => "none",
            },
            ["reshape_activations"] = "none",
            ["metadata"] = new JsonObject { ["hook_name"] = site?.ModulePath },
        };
        if (sae.Activation is GatedActivation gated)
        {
            (tensors["b_gate"], tensors["b_mag"]) = DictionaryConversion.BiasesOf(gated, latentBias);
            tensors["r_mag"] = gated.Scale;
        }
        else
            tensors["b_enc"] = latentBias;
        config["architecture"] = Architecture(sae, tensors, config);
        Files.CreateFolder(folder);
        SafetensorsWriter.Write(Path.Combine(folder, "sae_weights.safetensors"), tensors);
        AtomicFile.WriteAllText(Path.Combine(folder, "cfg.json"), config.ToJsonString());
    }

    private static string Architecture(SparseAutoencoder sae, Dictionary<string, Tensor> tensors, JsonObject config)
    {
        switch (sae.Activation)
        {
            case null when sae.Config.Threshold is { } threshold:
                tensors["threshold"] = Arithmetic.Full([sae.Features], threshold, ScalarType.Float32, sae.Device);
                return "jumprelu";
            case null:
                config["k"] = sae.K;
                config["rescale_acts_by_decoder_norm"] = false;
                return "topk";
            case JumpReluActivation jump:
                tensors["threshold"] = jump.Thresholds;
                return "jumprelu";
            case GatedActivation:
                return "gated";
            case ReluActivation:
                return "standard";
            default:
                throw DictionaryConversion.Refuse(sae, "saelens");
        }
    }
}

/// <summary>Writes dictionary_learning: config.json and ae.pt.</summary>
internal static class DictionaryLearningWriter
{
    public static void Save(SparseAutoencoder sae, string folder)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (sae.Normalisation != InputNormalisation.None)
            throw DictionaryConversion.Refuse(sae, "dictionary_learning");
        var bias = sae.OutputBias ?? sae.PreBias;
        var latentBias = DictionaryConversion.LatentBiasFor(sae, bias);
        var (kind, tensors) = sae.Activation switch
        {
            null when sae.Config is { Threshold: { } threshold, PrefixSizes: { } sizes } =>
                ("MatryoshkaBatchTopKSAE", new(Rows(sae, latentBias, bias))
                {
                    ["k"] = tensor(sae.K),
                    ["threshold"] = tensor(threshold),
                    ["group_sizes"] = tensor(sizes.Select((size, i) => size - (i == 0 ? 0 : sizes[i - 1])).ToArray()),
                }),
            null => (sae.Config.Threshold is null ? "AutoEncoderTopK" : "BatchTopKSAE", new(Columns(sae))
            {
                ["encoder.bias"] = latentBias,
                ["b_dec"] = bias,
                ["k"] = tensor(sae.K),
                ["threshold"] = tensor(sae.Config.Threshold ?? -1f),
            }),
            ReluActivation => ("AutoEncoder", new(Columns(sae)) { ["encoder.bias"] = latentBias, ["bias"] = bias }),
            // The class subtracts the bias only if this is set.
            JumpReluActivation jump => ("JumpReluAutoEncoder",
                new(Rows(sae, DictionaryConversion.LatentBiasFor(sae, zeros_like(bias)), bias)) { ["threshold"] = jump.Thresholds }),
            GatedActivation gated => ("GatedAutoEncoder", Gated(sae, gated, latentBias, bias)),
            _ => throw DictionaryConversion.Refuse(sae, "dictionary_learning"),
        };
        var trainer = new JsonObject { ["dict_class"] = kind, ["activation_dim"] = sae.Width, ["dict_size"] = sae.Features };
        if (sae.Activation is null)
            trainer["k"] = sae.K;
        Files.CreateFolder(folder);
        TorchFileWriter.Write(Path.Combine(folder, "ae.pt"), tensors.ToDictionary(pair => pair.Key, pair => (object?)pair.Value.cpu()));
        AtomicFile.WriteAllText(Path.Combine(folder, "config.json"), new JsonObject { ["trainer"] = trainer }.ToJsonString());
    }

    private static Dictionary<string, Tensor> Columns(SparseAutoencoder sae) => new()
    {
        ["encoder.weight"] = sae.EncoderWeight,
        ["decoder.weight"] = sae.Dictionary.t(),
    };

    private static Dictionary<string, Tensor> Rows(SparseAutoencoder sae, Tensor latentBias, Tensor bias) => new()
    {
        ["W_enc"] = sae.EncoderWeight.t().contiguous(),
        ["b_enc"] = latentBias,
        ["W_dec"] = sae.Dictionary,
        ["b_dec"] = bias,
    };

    private static Dictionary<string, Tensor> Gated(SparseAutoencoder sae, GatedActivation gated, Tensor latentBias, Tensor bias)
    {
        var (gate, magnitude) = DictionaryConversion.BiasesOf(gated, latentBias);
        return new(Columns(sae))
        {
            ["decoder_bias"] = bias,
            ["gate_bias"] = gate,
            ["mag_bias"] = magnitude,
            ["r_mag"] = gated.Scale,
        };
    }
}

/// <summary>A description of a dictionary, from headers and configuration only.</summary>
/// <param name="Weights">The file of its tensors.</param>
/// <param name="Layout">The program that writes the layout, such as "SAELens".</param>
/// <param name="Kind">How features become active, such as "TopK"; null if the files do not say.</param>
/// <param name="Features">n; null if unknown.</param>
/// <param name="Width">d; null if unknown.</param>
/// <param name="K">Active features per position; null if it varies or is unknown.</param>
/// <param name="Site">From the name of its folder or from its configuration; null if unknown.</param>
/// <param name="Missing">Descriptions of missing, misshapen and unknown tensors; empty if the dictionary can be used for painting.</param>
public sealed record DictionaryHeader(
    string Weights, string Layout, string? Kind, int? Features, int? Width, int? K, Site? Site, IReadOnlyList<string> Missing)
{
    /// <summary>Whether it is of the site's output rather than of what the site adds to its input.</summary>
    public bool ReadsOutput { get; init; }

    /// <summary>Whether a path is one dictionary: a folder of its files or its parent, or a file.</summary>
    public static bool IsOne(string path) => TryRead(path) is not null;

    /// <summary>The site of a dictionary by the name of its folder or file, or by its configuration; null for none.</summary>
    public static Site? SiteOf(string path)
    {
        var whole = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        var names = File.Exists(whole)
            ? new[] { Path.GetFileNameWithoutExtension(whole), Path.GetFileName(Path.GetDirectoryName(whole)) }
            : [Path.GetFileName(whole), Path.GetFileName(Path.GetDirectoryName(whole))];
        foreach (var name in names)
            if (name is not null && SaeFolderName.TryParse(name, out var parsed))
                return parsed.Site;
        return DictionaryFiles.Find(path).SiteOfConfig();
    }

    /// <summary>Reads headers; null if the path is not one dictionary of a known layout.</summary>
    /// <exception cref="CheckpointException">The checkpoint is broken.</exception>
    public static DictionaryHeader? TryRead(string path)
    {
        try
        {
            return Directory.Exists(path) && File.Exists(Path.Combine(path, "model_index.json")) ? null : Read(path);
        }
        catch (Exception e) when (e is SaeException or ModelException)
        {
            return null;
        }
    }

    private static DictionaryHeader Read(string path)
    {
        var files = DictionaryFiles.Find(path);
        using var source = DictionarySource.Open(files);
        var layout = DictionaryLayout.Of(source).Name;
        var missing = new List<string>();
        var (form, knowsK) = Form(files, source, missing);
        if (form is not null)
            missing.AddRange(SaeLoader.Misfits(source, form));
        if (!files.Scales.Any(scale => File.Exists(scale.Mean)))
            missing.Add("mean.pt, which painting with add needs (saeunbox statistics --write-scale makes it)");
        return new(files.Weights, layout, form?.Activation.Kind, form?.Features, form?.Width, knowsK ? form?.Activation.K : null,
            SiteOf(path), missing)
        {
            ReadsOutput = form?.ReadsOutput == true,
        };
    }

    // Everything else is known without k.
    private static (DictionaryForm? Form, bool KnowsK) Form(DictionaryFiles files, DictionarySource source, List<string> missing)
    {
        try
        {
            return (DictionaryLayout.FormOf(source), true);
        }
        catch (Exception e) when (e is SaeException or ModelException)
        {
            missing.Add(e.Message.TrimEnd('.'));
        }

        using var asked = DictionarySource.Open(files, askedK: 1);
        try
        {
            return (DictionaryLayout.FormOf(asked), false);
        }
        catch (Exception e) when (e is SaeException or ModelException)
        {
            return (null, false);
        }
    }
}
