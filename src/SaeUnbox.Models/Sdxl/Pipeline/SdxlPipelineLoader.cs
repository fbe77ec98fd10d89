using System.Text.Json;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Loads a pipeline from a model folder. If a part fails, it disposes the parts loaded before.</summary>
internal static class SdxlPipelineLoader
{
    // Height, width, crop top, crop left, target height, target width.
    private const int SizeConditions = 6;

    public static SdxlPipeline Load(string folder, SdxlPipelineOptions options)
    {
        var model = new ModelFolder(folder);
        var precision = Precision.For(options.DType, options.Device);
        var reporting = precision with
        {
            OnRead = ReportProgress(model, options, precision),
            Note = options.Note,
        };
        var owned = new List<IDisposable>();
        try
        {
            var scheduler = SchedulerConfig.From(JsonConfig.Load(
                Path.Combine(options.SchedulerFolder ?? model.At("scheduler"), "scheduler_config.json")));
            var promptEncoder = PromptEncoder.Load(model.Path, reporting);
            owned.Add(promptEncoder);
            var autoencoder = Keep(Models.Autoencoder.Load(model.FindAutoencoder(options), reporting, options.Tiling), owned);
            var unet = LoadUNet(model, reporting, owned);
            CheckMatch(unet.Config, autoencoder, promptEncoder);
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

    private static Action<long> ReportProgress(ModelFolder model, SdxlPipelineOptions options, Precision precision)
    {
        var (done, all) = (0L, 0L);
        if (options.Progress is not null)
        {
            string[] parts = [model.At("text_encoder"), model.At("text_encoder_2"), model.At("unet"), model.FindAutoencoder(options)];
            foreach (var folder in parts)
            {
                using var checkpoint = OpenWeights(folder, precision);
                var source = StateDicts.Unwrap(checkpoint);
                all += source.Names.Sum(name => source.TryFind(name, out var entry) ? entry.Count : 0);
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

    private static void CheckMatch(UNetConfig unet, IAutoencoder autoencoder, PromptEncoder text)
    {
        if (unet.InChannels != autoencoder.LatentChannels || unet.OutChannels != autoencoder.LatentChannels)
            throw new ModelException(
                $"The U-Net has {unet.InChannels} input and {unet.OutChannels} output channels, "
                + $"but the latents of the autoencoder have {autoencoder.LatentChannels}.");

        if (unet.TextChannels != text.HiddenSize)
            throw new ModelException(
                $"The U-Net needs text states of width {unet.TextChannels}, but those of the text encoders are {text.HiddenSize} wide.");

        if (unet.AdditionChannels != text.PooledSize + SizeConditions * unet.TimeIdChannels)
            throw new ModelException(
                $"projection_class_embeddings_input_dim of the U-Net is {unet.AdditionChannels}, but pooled text and sizes have "
                + $"{text.PooledSize} + {SizeConditions} * {unet.TimeIdChannels} values.");
    }

    private static Checkpoint OpenWeights(string folder, Precision precision) =>
        Checkpoint.OpenFolder(folder, preferHalf: precision.Storage == ScalarType.Float16);

    private static T Keep<T>((T Module, Weights Weights) loaded, List<IDisposable> owned)
    {
        owned.Add(loaded.Weights);
        return loaded.Module;
    }
}

/// <summary>The folder of an SDXL pipeline of diffusers, checked before any weights are read.</summary>
internal sealed class ModelFolder
{
    /// <exception cref="ModelException">The folder is missing, is not an SDXL pipeline, or lacks a component.</exception>
    public ModelFolder(string path)
    {
        Path = path = HubCache.Resolve(path);
        if (!Directory.Exists(path))
        {
            throw new ModelException(File.Exists(path)
                ? $"{path} is a file; a model is a folder that contains model_index.json."
                : $"The model folder {path} is missing.");
        }

        var index = System.IO.Path.Combine(path, "model_index.json");
        if (!File.Exists(index))
            throw new ModelException($"{path} is not a model folder of diffusers: it contains no model_index.json.");

        Index = JsonConfig.Load(index);
        var kind = Index.Text("_class_name");
        if (!kind.StartsWith("StableDiffusionXL", StringComparison.Ordinal))
            throw Index.Wrong("_class_name", $"an SDXL pipeline such as StableDiffusionXLPipeline, but is \"{kind}\"");

        string[] needed = ["unet", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler"];
        // Entries of parts that a pipeline does without are [null, null].
        if (needed.Where(name => Index.Find(name) is { ValueKind: JsonValueKind.Array } part && part.EnumerateArray()
            .All(entry => entry.ValueKind == JsonValueKind.Null)).ToArray() is { Length: > 0 } absent)
            throw new ModelException($"{index}: the pipeline has no {string.Join(", ", absent)} (the entry is [null, null]), as SDXL's "
                + "refiner has none; such a pipeline is not supported.");
        if (needed.Where(name => !Directory.Exists(At(name))).ToArray() is { Length: > 0 } missing)
            throw new ModelException($"The model folder {path} is incomplete; missing folders: {string.Join(", ", missing)}.");
    }

    public string Path { get; }

    /// <summary>model_index.json.</summary>
    public JsonConfig Index { get; }

    public string At(string component) => System.IO.Path.Combine(Path, component);

    /// <summary>The folder of the chosen autoencoder.</summary>
    /// <exception cref="ModelException">There is none.</exception>
    public string FindAutoencoder(SdxlPipelineOptions options)
    {
        IReadOnlyList<string> candidates = options switch
        {
            { AutoencoderFolder: { } folder } => [folder],
            { Autoencoder: AutoencoderChoice.Tiny } => Models.Autoencoder.TinyFolders(Path),
            _ => [At("vae")],
        };
        return candidates.FirstOrDefault(Directory.Exists) ?? throw new ModelException(
            $"No autoencoder found; looked for {string.Join(", ", candidates.Select(System.IO.Path.GetFullPath))}.");
    }
}
