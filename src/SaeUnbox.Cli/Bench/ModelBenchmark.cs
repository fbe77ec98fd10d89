using System.Diagnostics;
using SaeUnbox.Checkpoints;
using SaeUnbox.Contracts;
using SaeUnbox.Diffusion;
using static TorchSharp.torch;

namespace SaeUnbox.Cli.Bench;

/// <summary>Times a model part by part; one part is in memory at a time.</summary>
/// <param name="source">The model's parts.</param>
/// <param name="precision">Numbers and device.</param>
/// <param name="side">Pixels on a side of the picture.</param>
/// <param name="meter">The clock.</param>
internal sealed class ModelBenchmark(ComponentSource source, Precision precision, int side, Meter meter)
{
    private const int PromptTokens = 12;
    private const int DefaultCell = 8;
    private long hidden, pooled, length = 77;

    /// <summary>Measurements as they come.</summary>
    public IEnumerable<Measurement> Run()
    {
        foreach (var encoder in (string[])["text_encoder", "text_encoder_2"])
            foreach (var row in Text(encoder)) yield return row;
        foreach (var row in UNet()) yield return row;
        foreach (var row in Decoder("vae", "decode (kl)")) yield return row;
        foreach (var row in Decoder("vae_tiny", "decode (tiny)")) yield return row;
    }

    private IEnumerable<Measurement> Text(string part)
    {
        if (source.Find(part) is not { } found) yield break;
        var config = ClipTextConfig.From(found.Config);
        var (encoder, weights) = Load(found.Weights, tree => new ClipTextEncoder(tree, config), out var loading);
        using (weights)
        {
            (hidden, pooled, length) = (hidden + config.HiddenSize, encoder.PooledSize, config.MaxPositions);
            IReadOnlyList<int> ids = [.. Enumerable.Range(1, PromptTokens), .. Enumerable.Repeat(config.VocabularySize - 1, config.MaxPositions - PromptTokens)];
            yield return loading with { Part = $"load {part}" };
            yield return meter.Time(part, () => encoder.Forward([ids]));
        }
    }

    private IEnumerable<Measurement> UNet()
    {
        if (source.Find("unet") is not { } found) yield break;
        var config = UNetConfig.From(found.Config);
        var (unet, weights) = Load(found.Weights, tree => new UNet(tree, config), out var loading);
        using (weights)
        {
            yield return loading with { Part = "load unet" };
            var (sample, timestep) = (Random(1, config.InChannels, side / DefaultCell, side / DefaultCell), tensor([999f], device: precision.Device));
            using var conditioning = unet.Prepare(Random(1, length, hidden), Random(1, pooled), tensor([(float)side, side, 0, 0, side, side], device: precision.Device).unsqueeze(0));
            yield return meter.Time("unet", () => unet.Forward(sample, timestep, conditioning));
            var sites = unet.Sites.Select(site => site.Code).Intersect(HookSite.Named.Select(site => site.Code)).ToArray();
            using var run = unet.Run(sample, timestep, conditioning, sites);
            foreach (var site in sites) yield return meter.Time($"resume {site}", () => unet.Resume(run.States[site]));
        }
    }

    private IEnumerable<Measurement> Decoder(string part, string name)
    {
        if (source.Find(part) is not { } found) yield break;
        var (decoder, weights) = Load(found.Weights, tree => MakeDecoder(found.Config, tree), out var loading);
        using (weights)
        {
            yield return loading with { Part = $"load {part}" };
            var latents = Random(1, decoder.LatentChannels, side / decoder.PixelsPerCell, side / decoder.PixelsPerCell);
            yield return meter.Time(name, () => decoder.Decode(latents));
        }
    }

    private static IAutoencoder MakeDecoder(JsonConfig config, Weights weights) => config.Text("_class_name") == nameof(AutoencoderTiny)
        ? new AutoencoderTiny(weights, AutoencoderTinyConfig.From(config))
        : new AutoencoderKL(weights, AutoencoderKLConfig.From(config)) { Tiling = Tiling.Default };

    private (T Module, Weights Weights) Load<T>(IWeightSource from, Func<Weights, T> build, out Measurement loading)
    {
        var start = Stopwatch.GetTimestamp();
        var loaded = precision.Load(from, build);
        loading = new Measurement("", Stopwatch.GetElapsedTime(start).TotalSeconds, 0, null);
        (from as IDisposable)?.Dispose();
        return loaded;
    }

    private Tensor Random(params long[] shape)
    {
        using var generator = new Generator(1);
        using var drawn = randn(shape, generator: generator);
        return drawn.to(precision.Arithmetic, precision.Device);
    }
}
