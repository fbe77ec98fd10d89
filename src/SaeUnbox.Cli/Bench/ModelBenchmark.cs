using System.Diagnostics;
using System.Text.Json;
using SaeUnbox.Cli.Options;
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
            var sites = unet.Sites.Select(shape => shape.Site).Intersect(HookSite.Named).ToArray();
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

/// <summary>Where a benchmark takes a model's parts from: a folder, or an architecture with random weights.</summary>
internal abstract class ComponentSource
{
    // Drawing all 2.6 billion values of a U-Net takes longer than everything measured; a part of them, repeated, times the same.
    private const long DrawnValues = 1 << 22;

    public abstract string Name { get; }

    /// <summary>The configuration and weights of a part such as <c>unet</c>; null where there is no such part.</summary>
    public abstract (JsonConfig Config, IWeightSource Weights)? Find(string part);

    public static ComponentSource Folder(string path) => Directory.Exists(path) ? new FolderSource(path) : throw new CliException($"--model {path}: there is no such folder.");

    /// <exception cref="CliException">No architecture has this name.</exception>
    public static ComponentSource Architecture(string name)
    {
        const string prefix = "SaeUnbox.Cli.Bench.Architectures.";
        var assembly = typeof(ComponentSource).Assembly;
        var known = assembly.GetManifestResourceNames().Where(resource => resource.StartsWith(prefix, StringComparison.Ordinal)).Select(resource => resource[prefix.Length..^".json".Length]);
        using var stream = assembly.GetManifestResourceStream($"{prefix}{Word.Among("--architecture", name, [.. known])}.json")!;
        return new ArchitectureSource(name, JsonDocument.Parse(stream).RootElement);
    }

    private sealed class FolderSource(string path) : ComponentSource
    {
        public override string Name => path;

        public override (JsonConfig, IWeightSource)? Find(string part)
        {
            var places = part == "vae_tiny" ? Autoencoder.TinyFolders(path) : [Path.Combine(path, part)];
            if (places.FirstOrDefault(Directory.Exists) is not { } folder) return null;
            return (JsonConfig.Load(Path.Combine(folder, "config.json")), RenamedSource.WithPresentAttentionNames(Checkpoint.OpenFolder(folder)));
        }
    }

    private sealed class ArchitectureSource(string name, JsonElement parts) : ComponentSource
    {
        public override string Name => $"{name} (random weights)";

        public override (JsonConfig, IWeightSource)? Find(string part)
        {
            if (!parts.TryGetProperty(part, out var config)) return null;
            // Only the second text encoder has a projection.
            Func<string, bool>? absent = part == "text_encoder" ? key => key.StartsWith("text_projection", StringComparison.Ordinal) : null;
            return (JsonConfig.Parse(config.GetRawText(), $"{name}/{part}"), new RandomWeights(1, absent) { Drawn = DrawnValues });
        }
    }
}

/// <summary>Times a training step of a sparse autoencoder, as train-sae does it.</summary>
/// <param name="Width">Channels of the site.</param>
/// <param name="Features">Size of the dictionary.</param>
/// <param name="K">Active features a vector.</param>
/// <param name="Batch">Vectors a step.</param>
internal sealed record SaeBenchmark(int Width, int Features, int K, int Batch)
{
    // Over the active entries: the reconstruction, the entries' gradients, and those of both weights.
    private const int SparseProducts = 4;

    public string Name => FormattableString.Invariant($"sparse autoencoder, {Width} channels, {Features} features, k {K}, batch {Batch}");

    /// <exception cref="CliException">It is not four numbers.</exception>
    public static SaeBenchmark Parse(string text) => NumberList.Parse("--sae", text) is [var width, var features, var k, var batch]
        ? new(width, features, k, batch)
        : throw new CliException($"--sae {text}: four numbers are expected, such as 1280,5120,10,4096.");

    public Measurement Run(Meter meter, Device device)
    {
        var options = new TrainingOptions { Features = Features, K = K, BatchSize = Batch, AuxK = Math.Min(Features, new TrainingOptions().AuxK!.Value) };
        using var generator = new Generator(1);
        using var drawn = randn([Batch, Width], generator: generator);
        using var vectors = drawn.to(device);
        using var trainer = SaeTrainer.Start(options, vectors, seed: 1);
        return meter.Time("sae step", () => trainer.Step(vectors), 2L * Batch * Width * (Features + (long)SparseProducts * K));
    }
}
