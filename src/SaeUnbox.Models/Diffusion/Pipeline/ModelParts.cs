using System.Text.Json.Nodes;

namespace SaeUnbox.Models;

/// <summary>Where the parts of a pipeline come from: a folder of diffusers, or one file.</summary>
internal interface IModelParts : IDisposable
{
    /// <summary>The folder or file.</summary>
    string Path { get; }

    /// <summary>The file <c>model_index.json</c>.</summary>
    JsonConfig Index { get; }

    ModelFamily Family => ModelFamily.Of(Index);

    /// <summary>A sentence about what the files leave open and how it is taken; null if nothing is open.</summary>
    string? Doubt => null;

    JsonConfig Scheduler { get; }

    /// <summary>Opens a part for reading.</summary>
    /// <param name="part">The name of its folder, such as <c>unet</c>.</param>
    /// <param name="preferHalf">Prefers the half-precision file of a folder that has both.</param>
    /// <exception cref="ModelException">The part is missing or its configuration is not usable.</exception>
    /// <exception cref="CheckpointException">The weights are not usable.</exception>
    ModelPart Open(string part, bool preferHalf);

    /// <summary>Loads one of <see cref="ModelFamily.Tokenizers"/>.</summary>
    /// <exception cref="ModelException">The tokenizer is not usable.</exception>
    ClipTokenizer Tokenizer(string part, TextCleaning cleaning);
}

/// <summary>A network of a pipeline: its configuration, and its weights open for reading.</summary>
internal sealed record ModelPart(JsonConfig Config, Checkpoint Weights) : IDisposable
{
    /// <summary>Opens the folder of a part.</summary>
    /// <exception cref="ModelException">Its config.json is not usable.</exception>
    /// <exception cref="CheckpointException">The weights are not usable.</exception>
    public static ModelPart OpenFolder(string folder, bool preferHalf)
    {
        var weights = Checkpoint.OpenFolder(folder, preferHalf);
        try
        {
            return new ModelPart(JsonConfig.Load(System.IO.Path.Combine(folder, "config.json")), weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    public void Dispose() => Weights.Dispose();
}

/// <summary>Opens models wherever their parts lie.</summary>
internal static class ModelParts
{
    /// <summary>Opens a folder of diffusers or a one-file checkpoint, with the LoRAs of the options.</summary>
    /// <exception cref="ModelException">The path is missing, or is no model that is supported; the message says what it is.</exception>
    /// <exception cref="CheckpointException">The file is broken.</exception>
    public static IModelParts Open(string path, PipelineOptions options) => options.Loras.Count == 0
        ? OpenPlain(path, options)
        : new LoraParts(OpenPlain(path, options), options.Loras, options.Note);

    private static IModelParts OpenPlain(string path, PipelineOptions options)
    {
        if (!File.Exists(path))
            return options.TokenizerFolder is { } folder ? new OtherTokenizer(new ModelFolder(path), folder) : new ModelFolder(path);
        var parent = options.BasePath is { } basePath ? OpenPlain(basePath, options with { BasePath = null }) : null;
        try
        {
            IModelParts parts = new OneFileModel(OneFile.Open(path), parent);
            return options.TokenizerFolder is { } tokenizer ? new OtherTokenizer(parts, tokenizer) : parts;
        }
        catch
        {
            parent?.Dispose();
            throw;
        }
    }

    /// <summary>Opens the autoencoder that the options choose.</summary>
    public static ModelPart OpenAutoencoder(this IModelParts parts, PipelineOptions options, bool preferHalf)
    {
        if (options is { AutoencoderFolder: null, Autoencoder: AutoencoderChoice.KL })
            return parts.Open(OneFile.Autoencoder, preferHalf);
        if (options.AutoencoderFolder is { } file && File.Exists(file))
            return OneFileModel.OpenAutoencoder(file, parts);
        IReadOnlyList<string> candidates = options.AutoencoderFolder is { } named ? [named] : Autoencoder.TinyFolders(parts.Path);
        return candidates.FirstOrDefault(Directory.Exists) is { } folder
            ? ModelPart.OpenFolder(folder, preferHalf)
            : throw new ModelException($"No autoencoder found; looked for {string.Join(", ", candidates.Select(Path.GetFullPath))}.");
    }

    /// <summary>A model with tokenizers from another folder.</summary>
    private sealed class OtherTokenizer(IModelParts parts, string folder) : IModelParts
    {
        public string Path => parts.Path;

        public JsonConfig Index => parts.Index;

        public JsonConfig Scheduler => parts.Scheduler;

        public string? Doubt => parts.Doubt;

        public ModelPart Open(string part, bool preferHalf) => parts.Open(part, preferHalf);

        public ClipTokenizer Tokenizer(string part, TextCleaning cleaning) => ClipTokenizer.LoadFor(part, folder, cleaning);

        public void Dispose() => parts.Dispose();
    }
}

/// <summary>A model in one file. A base model lends the parts that the file lacks, and what shapes do not tell.</summary>
internal sealed class OneFileModel(OneFile file, IModelParts? parent) : IModelParts
{
    /// <summary>Key in the header under which a file carries a file of its folder.</summary>
    public const string EmbeddedPrefix = "saeunbox:";

    private const string SchedulerFile = "scheduler/scheduler_config.json";

    public string Path => file.Path;

    public JsonConfig Index => Parse("model_index.json", Embedded(file, "model_index.json")
        ?? parent?.Index.ToObject() ?? OneFileConfigs.Known(file.Model, "model_index.json"));

    public string? Doubt => parent is null
        && file.Model.LeavesPredictionOpen
        && !file.PredictsVelocity
        && Embedded(file, SchedulerFile) is null
        ? $"{Path} does not tell whether its U-Net predicts velocity, as SD 2.1 does, or noise, as SD 2.1 base; it is taken for velocity. "
            + "If pictures are noise, name the folder of its scheduler (--scheduler DIR)."
        : null;

    public JsonConfig Scheduler
    {
        get
        {
            if (Embedded(file, SchedulerFile) is { } own)
                return Parse(SchedulerFile, own);
            var json = parent?.Scheduler.ToObject() ?? OneFileConfigs.Known(file.Model, SchedulerFile);
            if (file.PredictsVelocity)
                json["prediction_type"] = "v_prediction";
            if (file.HasZeroTerminalSnr)
                json["rescale_betas_zero_snr"] = true;
            return Parse(SchedulerFile, json);
        }
    }

    /// <summary>Opens the autoencoder in a file of its own or in a whole checkpoint.</summary>
    /// <param name="host">Its model, whose configuration tells what shapes do not.</param>
    public static ModelPart OpenAutoencoder(string path, IModelParts host)
    {
        var file = OneFile.Open(path);
        try
        {
            if (!file.Parts.TryGetValue(OneFile.Autoencoder, out var weights))
                throw new ModelException($"{path} holds no VAE; it holds {file.Contents}.");
            JsonObject? like = Embedded(file, "vae/config.json");
            if (like is null)
            {
                using var part = host.Open(OneFile.Autoencoder, preferHalf: false);
                like = part.Config.ToObject();
            }

            return new ModelPart(
                JsonConfig.Parse(OneFileConfigs.Of(file.Model, OneFile.Autoencoder, weights.Entries, like).ToJsonString(),
                    path), weights.Owning(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    public ModelPart Open(string part, bool preferHalf)
    {
        if (!file.Parts.TryGetValue(part, out var weights))
            return parent?.Open(part, preferHalf) ?? throw new ModelException(
                $"{Path} holds {file.Contents} only; name the model that lends the other parts (--base DIR).");
        var like = Embedded(file, $"{part}/config.json");
        if (like is null && parent is not null)
        {
            using var lent = parent.Open(part, preferHalf);
            like = lent.Config.ToObject();
        }

        return new ModelPart(Parse(part, OneFileConfigs.Of(file.Model, part, weights.Entries, like)), weights);
    }

    public ClipTokenizer Tokenizer(string part, TextCleaning cleaning) =>
        parent?.Tokenizer(part, cleaning) ?? ClipTokenizer.BuiltIn(file.Model.PadsWithExclamation.Contains(part), cleaning);

    public void Dispose()
    {
        file.Dispose();
        parent?.Dispose();
    }

    private static JsonObject? Embedded(OneFile file, string name) =>
        file.Checkpoint.Metadata.GetValueOrDefault(EmbeddedPrefix + name) is { } text
            ? JsonConfig.Parse(text, $"{name} in {file.Path}").ToObject()
            : null;

    private JsonConfig Parse(string name, JsonObject json) => JsonConfig.Parse(json.ToJsonString(), $"{Path}: {name}");
}
