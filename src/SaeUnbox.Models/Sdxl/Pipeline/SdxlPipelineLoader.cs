using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Puts a pipeline together from a model folder; what was loaded is freed where a later part fails.</summary>
internal static class SdxlPipelineLoader
{
    // Height, width, crop top, crop left, target height, target width.
    private const int SizeConditions = 6;

    public static SdxlPipeline Load(string folder, SdxlPipelineOptions options)
    {
        var model = new ModelFolder(folder);
        var precision = Precision.For(options.DType, options.Device);
        var watched = precision with { OnRead = Watch(model, options, precision) };
        var owned = new List<IDisposable>();
        try
        {
            var scheduler = SchedulerConfig.From(JsonConfig.Load(
                Path.Combine(options.SchedulerFolder ?? model.At("scheduler"), "scheduler_config.json")));
            var promptEncoder = PromptEncoder.Load(model.Path, watched);
            owned.Add(promptEncoder);
            var autoencoder = Keep(Models.Autoencoder.Load(model.Autoencoder(options), watched, options.Tiling), owned);
            var unet = LoadUNet(model, watched, owned);
            CheckFit(unet.Config, autoencoder, promptEncoder);
            return new SdxlPipeline(
                promptEncoder, unet, autoencoder, scheduler, precision,
                model.Index.Flag("force_zeros_for_empty_prompt", true), owned);
        }
        catch
        {
            owned.ForEach(part => part.Dispose());
            throw;
        }
    }

    private static Action<long> Watch(ModelFolder model, SdxlPipelineOptions options, Precision precision)
    {
        var (done, all) = (0L, 0L);
        if (options.Progress is not null)
        {
            foreach (var folder in (string[])[model.At("text_encoder"), model.At("text_encoder_2"), model.At("unet"), model.Autoencoder(options)])
            {
                using var checkpoint = OpenWeights(folder, precision);
                all += checkpoint.Entries.Values.Sum(entry => entry.Count);
            }
        }

        return elements =>
        {
            options.Cancellation.ThrowIfCancellationRequested();
            options.Progress?.Invoke(Math.Min(1, (double)(done += elements) / all));
        };
    }

    private static UNet LoadUNet(ModelFolder model, Precision precision, List<IDisposable> owned)
    {
        var config = UNetConfig.From(JsonConfig.Load(Path.Combine(model.At("unet"), "config.json")));
        using var checkpoint = OpenWeights(model.At("unet"), precision);
        return Keep(precision.Load(checkpoint, weights => new UNet(weights, config)), owned);
    }

    private static void CheckFit(UNetConfig unet, IAutoencoder autoencoder, PromptEncoder text)
    {
        if (unet.InChannels != autoencoder.LatentChannels || unet.OutChannels != autoencoder.LatentChannels)
        {
            throw new ModelException(
                $"The U-Net makes latents of {unet.OutChannels} channels from {unet.InChannels}, and the autoencoder's have {autoencoder.LatentChannels}.");
        }

        if (unet.TextChannels != text.HiddenSize)
        {
            throw new ModelException($"The U-Net takes text states of width {unet.TextChannels}, and the text encoders make {text.HiddenSize}.");
        }

        if (unet.AdditionChannels != text.PooledSize + SizeConditions * unet.TimeIdChannels)
        {
            throw new ModelException(
                $"The U-Net takes {unet.AdditionChannels} values beside the time (projection_class_embeddings_input_dim), and pooled text "
                + $"and sizes are {text.PooledSize} + {SizeConditions} * {unet.TimeIdChannels}.");
        }
    }

    private static Checkpoint OpenWeights(string folder, Precision precision) =>
        Checkpoint.OpenFolder(folder, preferHalf: precision.Storage == ScalarType.Float16);

    private static T Keep<T>((T Module, Weights Weights) loaded, List<IDisposable> owned)
    {
        owned.Add(loaded.Weights);
        return loaded.Module;
    }
}

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
