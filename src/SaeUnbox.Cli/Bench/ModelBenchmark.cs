using System.Diagnostics;
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
    private const int SizeConditions = 6;
    private const long DefaultLength = 77;

    /// <summary>The folders of a pipeline that can be timed.</summary>
    public static IReadOnlyList<string> Parts { get; } = ["text_encoder", "text_encoder_2", "unet", "vae", "vae_tiny"];

    /// <summary>Measurements as they come.</summary>
    public IEnumerable<Measurement> Run(IReadOnlyList<string> parts) => Parts.Where(parts.Contains).SelectMany(part => part switch
    {
        "unet" => UNet(),
        "vae" or "vae_tiny" => Decoder(part),
        _ => Text(part),
    });

    private IEnumerable<Measurement> Text(string part)
    {
        if (source.Find(part) is not { } found) yield break;
        var config = ClipTextConfig.From(found.Config);
        var (encoder, weights) = Load(found.Weights, tree => new ClipTextEncoder(tree, config), out var loading);
        using (weights)
        {
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
            var cells = side / Cell();
            var (sample, timestep) = (Random(1, config.InChannels, cells, cells), tensor([999f], device: precision.Device));
            var pooled = config.AdditionChannels - SizeConditions * config.TimeIdChannels;
            using var conditioning = unet.Prepare(Random(1, DefaultLength, config.TextChannels), Random(1, pooled), tensor([(float)side, side, 0, 0, side, side], device: precision.Device).unsqueeze(0));
            yield return meter.Time("unet", () => unet.Forward(sample, timestep, conditioning));
            var sites = unet.Sites.Select(site => site.Code).Intersect(HookSite.Named.Select(site => site.Code)).ToArray();
            using var run = unet.Run(sample, timestep, conditioning, sites);
            foreach (var site in sites) yield return meter.Time($"resume {site}", () => unet.Resume(run.States[site]));
        }
    }

    private IEnumerable<Measurement> Decoder(string part)
    {
        if (source.Find(part) is not { } found) yield break;
        var (decoder, weights) = Load(found.Weights, tree => MakeDecoder(found.Config, tree), out var loading);
        using (weights)
        {
            yield return loading with { Part = $"load {part}" };
            var latents = Random(1, decoder.LatentChannels, side / decoder.PixelsPerCell, side / decoder.PixelsPerCell);
            yield return meter.Time(IsTiny(found.Config) ? "decode (tiny)" : "decode (kl)", () => decoder.Decode(latents));
        }
    }

    // Pixels of a latent cell: the decoder doubles them from level to level.
    private int Cell()
    {
        if (source.Find("vae") is not { } found) return DefaultCell;
        (found.Weights as IDisposable)?.Dispose();
        var levels = IsTiny(found.Config) ? AutoencoderTinyConfig.From(found.Config).DecoderWidths.Count : AutoencoderKLConfig.From(found.Config).BlockOutChannels.Count;
        return 1 << (levels - 1);
    }

    private static bool IsTiny(JsonConfig config) => config.Text("_class_name") == nameof(AutoencoderTiny);

    private static IAutoencoder MakeDecoder(JsonConfig config, Weights weights) => IsTiny(config)
        ? new AutoencoderTiny(weights, AutoencoderTinyConfig.From(config))
        : new AutoencoderKL(weights, AutoencoderKLConfig.From(config)) { Tiling = Tiling.Default };

    private (T Module, Weights Weights) Load<T>(IWeightSource from, Func<Weights, T> build, out Measurement loading)
    {
        var memory = new PeakMemory();
        var start = Stopwatch.GetTimestamp();
        var loaded = precision.Load(from, build);
        loading = new Measurement("", Stopwatch.GetElapsedTime(start).TotalSeconds, 0, null)
        {
            PeakBytes = memory.Growth,
            WeightBytes = loaded.Weights.Leaves.Sum(leaf => leaf.numel() * leaf.element_size()),
        };
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
