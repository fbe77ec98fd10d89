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
