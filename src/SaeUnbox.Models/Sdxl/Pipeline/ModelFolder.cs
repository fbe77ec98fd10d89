namespace SaeUnbox.Models;

/// <summary>The folder of an SDXL pipeline as diffusers saves it, looked over before anything large is read.</summary>
internal sealed class ModelFolder
{
    /// <exception cref="ModelException">The folder is not there, is no SDXL pipeline, or lacks a component.</exception>
    public ModelFolder(string path)
    {
        Path = path;
        if (!Directory.Exists(path))
        {
            throw new ModelException(File.Exists(path)
                ? $"{path} is a file; the model is a folder with model_index.json in it."
                : $"The model folder {path} is missing.");
        }

        var index = System.IO.Path.Combine(path, "model_index.json");
        if (!File.Exists(index))
        {
            throw new ModelException($"{path} is no model folder of diffusers: it holds no model_index.json.");
        }

        Index = JsonConfig.Load(index);
        var kind = Index.Text("_class_name");
        if (!kind.StartsWith("StableDiffusionXL", StringComparison.Ordinal))
        {
            throw Index.Wrong("_class_name", $"an SDXL pipeline such as StableDiffusionXLPipeline, and is \"{kind}\"");
        }

        string[] needed = ["unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"];
        if (needed.Where(name => !Directory.Exists(At(name))).ToArray() is { Length: > 0 } missing)
        {
            throw new ModelException($"The model folder {path} is not complete: it lacks the folder {string.Join(", ", missing)}.");
        }
    }

    public string Path { get; }

    /// <summary>model_index.json.</summary>
    public JsonConfig Index { get; }

    public string At(string component) => System.IO.Path.Combine(Path, component);

    /// <summary>The folder of the autoencoder that the options ask for.</summary>
    /// <exception cref="ModelException">There is none.</exception>
    public string Autoencoder(SdxlPipelineOptions options)
    {
        IReadOnlyList<string> candidates = options switch
        {
            { AutoencoderFolder: { } folder } => [folder],
            { Autoencoder: AutoencoderChoice.Tiny } => Models.Autoencoder.TinyFolders(Path),
            _ => [At("vae")],
        };
        return candidates.FirstOrDefault(Directory.Exists) ?? throw new ModelException(
            $"There is no autoencoder: none of the folders {string.Join(", ", candidates.Select(System.IO.Path.GetFullPath))} exists.");
    }
}
