using System.Diagnostics;
using System.Text.Json;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>How parts are timed.</summary>
/// <param name="Dtype">Number format of weights and activations.</param>
/// <param name="Device">cpu, cuda or cuda:N.</param>
/// <param name="Repeats">Timed runs of each part.</param>
/// <param name="OnProcessorTime">Measures processor time instead of wall time; meaningful for work on one thread.</param>
public sealed record BenchmarkSettings(Dtype Dtype, string Device, int Repeats, bool OnProcessorTime)
{
    /// <summary>
    /// The results of each part in an earlier run of the same benchmark, to compare with; a part that is missing is added. Null compares
    /// nothing.
    /// </summary>
    public IDictionary<string, float[]>? Reference { get; init; }
}

/// <summary>Times parts of a model against a matrix product.</summary>
public abstract class PartsBenchmark
{
    public static string LibtorchVersion => __version__;

    /// <summary>Names what is measured.</summary>
    public abstract string Name { get; }

    /// <summary>Measures all parts, and last the matrix product.</summary>
    /// <param name="report">Called after each measurement.</param>
    /// <exception cref="ModelException">There is no such device, or a part's files are broken.</exception>
    public void Run(BenchmarkSettings settings, Action<Measurement> report, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        using var meter = new Meter(settings);
        foreach (var row in Measure(meter))
        {
            cancellation.ThrowIfCancellationRequested();
            report(row);
        }
        report(meter.MatrixProduct);
    }

    private protected abstract IEnumerable<Measurement> Measure(Meter meter);
}

/// <summary>Times loading and running the parts of a model. Only one part is in memory at a time.</summary>
public sealed class ModelBenchmark : PartsBenchmark
{
    private const string ArchitecturePrefix = "SaeUnbox.Lab.Benchmarks.Architectures.";
    private const int PromptTokens = 12, DefaultPixelsPerCell = 8, SizeConditions = 6;
    private const long TextLength = 77;

    // Drawing all 2.6 billion weights of a U-Net takes longer than the benchmark. Repeating this many gives the same times.
    private const long DrawnValues = 1 << 22;

    private readonly Func<string, (JsonConfig Config, IWeightSource Weights)?> _find;
    private readonly IReadOnlyList<string> _parts;
    private readonly int _side;

    private ModelBenchmark(string name, Func<string, (JsonConfig, IWeightSource)?> find, IReadOnlyList<string> parts, int side) =>
        (Name, _find, _parts, _side) = (name, find, parts, side);

    /// <summary>The parts of a pipeline that can be timed, by their folders.</summary>
    public static IReadOnlyList<string> Parts { get; } = ["text_encoder", "text_encoder_2", "unet", "vae", "vae_tiny"];

    /// <summary>Full-size models that are timed with random weights.</summary>
    public static IReadOnlyList<string> Architectures { get; } =
    [
        .. typeof(ModelBenchmark).Assembly.GetManifestResourceNames()
            .Where(resource => resource.StartsWith(ArchitecturePrefix, StringComparison.Ordinal))
            .Select(resource => resource[ArchitecturePrefix.Length..^".json".Length]),
    ];

    public override string Name { get; }

    /// <param name="folder">A pipeline in the layout of diffusers.</param>
    /// <param name="parts">Some of <see cref="Parts"/>; those that the model lacks are skipped.</param>
    /// <param name="side">Sides of the picture in pixels.</param>
    public static ModelBenchmark OfFolder(string folder, IReadOnlyList<string> parts, int side) => new(folder, part =>
    {
        var places = part == "vae_tiny" ? Autoencoder.TinyFolders(folder) : [Path.Combine(folder, part)];
        return places.FirstOrDefault(Directory.Exists) is { } place
            ? (JsonConfig.Load(Path.Combine(place, "config.json")), RenamedSource.WithPresentAttentionNames(Checkpoint.OpenFolder(place)))
            : null;
    }, parts, side);

    /// <param name="name">One of <see cref="Architectures"/>.</param>
    /// <param name="parts">Some of <see cref="Parts"/>; those that the model lacks are skipped.</param>
    /// <param name="side">Sides of the picture in pixels.</param>
    public static ModelBenchmark OfArchitecture(string name, IReadOnlyList<string> parts, int side)
    {
        using var stream = typeof(ModelBenchmark).Assembly.GetManifestResourceStream($"{ArchitecturePrefix}{name}.json")!;
        var configs = JsonDocument.Parse(stream).RootElement;
        return new($"{name} (random weights)", part =>
        {
            if (!configs.TryGetProperty(part, out var config))
                return null;
            // Only the second text encoder has a projection.
            Func<string, bool>? absent = part == "text_encoder" ? key => key.StartsWith("text_projection", StringComparison.Ordinal) : null;
            return (JsonConfig.Parse(config.GetRawText(), $"{name}/{part}"), new RandomWeights(1, absent) { Drawn = DrawnValues });
        }, parts, side);
    }

    private protected override IEnumerable<Measurement> Measure(Meter meter) => Parts.Where(_parts.Contains).SelectMany(part => part switch
    {
        "unet" => UNet(meter),
        "vae" or "vae_tiny" => Decoder(meter, part),
        _ => Text(meter, part),
    });

    private IEnumerable<Measurement> Text(Meter meter, string part)
    {
        if (_find(part) is not { } found)
            yield break;
        var config = ClipTextConfig.From(found.Config);
        var (encoder, weights) = Load(meter, part, found.Weights, tree => new ClipTextEncoder(tree, config), out var loading);
        using (weights)
        {
            var padding = Enumerable.Repeat(config.VocabularySize - 1, config.MaxPositions - PromptTokens);
            IReadOnlyList<int> ids = [.. Enumerable.Range(1, PromptTokens), .. padding];
            yield return loading;
            yield return meter.Time(part, () => encoder.Forward([ids]).Penultimate);
        }
    }

    private IEnumerable<Measurement> UNet(Meter meter)
    {
        if (_find("unet") is not { } found)
            yield break;
        var config = UNetConfig.From(found.Config);
        var (unet, weights) = Load(meter, "unet", found.Weights, tree => new UNet(tree, config), out var loading);
        using (weights)
        {
            yield return loading;
            var (cells, device) = (_side / PixelsPerCell(), meter.Precision.Device);
            var (sample, timestep) = (Random(meter, 1, config.InChannels, cells, cells), tensor([999f], device: device));
            var text = Random(meter, 1, TextLength, config.TextChannels);
            using var conditioning = config.Addition is { } addition
                ? unet.Prepare(text, Random(meter, 1, addition.Channels - SizeConditions * addition.TimeIdChannels),
                    tensor([(float)_side, _side, 0, 0, _side, _side], device: device).unsqueeze(0))
                : unet.Prepare(text);
            yield return meter.Time("unet", () => unet.Forward(sample, timestep, conditioning));
            var sites = unet.Sites.Where(shape => shape.Nickname is not null).Select(shape => shape.Site).ToArray();
            using var run = unet.Run(sample, timestep, conditioning, sites);
            foreach (var site in sites)
                yield return meter.Time($"resume {site}", () => unet.Resume(run.States[site]));
        }
    }

    private IEnumerable<Measurement> Decoder(Meter meter, string part)
    {
        if (_find(part) is not { } found)
            yield break;
        var (decoder, weights) = Load(meter, part, found.Weights, tree => MakeDecoder(found.Config, tree), out var loading);
        using (weights)
        {
            yield return loading;
            var cells = _side / decoder.PixelsPerCell;
            var latents = Random(meter, 1, decoder.LatentChannels, cells, cells);
            yield return meter.Time(IsTiny(found.Config) ? "decode (tiny)" : "decode (kl)", () => decoder.Decode(latents));
        }
    }

    // Pixels along a side of a latent cell. The decoder doubles the size between two levels.
    private int PixelsPerCell()
    {
        if (_find("vae") is not { } found)
            return DefaultPixelsPerCell;
        (found.Weights as IDisposable)?.Dispose();
        var levels = IsTiny(found.Config)
            ? AutoencoderTinyConfig.From(found.Config).DecoderWidths.Count
            : AutoencoderKLConfig.From(found.Config).BlockOutChannels.Count;
        return 1 << (levels - 1);
    }

    private static bool IsTiny(JsonConfig config) => config.Text("_class_name") == nameof(AutoencoderTiny);

    private static IAutoencoder MakeDecoder(JsonConfig config, Weights weights) => IsTiny(config)
        ? new AutoencoderTiny(weights, AutoencoderTinyConfig.From(config))
        : new AutoencoderKL(weights, AutoencoderKLConfig.From(config)) { Tiling = Tiling.Default };

    private static (T Module, Weights Weights) Load<T>(
        Meter meter, string part, IWeightSource from, Func<Weights, T> build, out Measurement loading)
    {
        var memory = new PeakMemory();
        var start = Stopwatch.GetTimestamp();
        var precision = meter.Precision with { IsInt8 = meter.Precision.IsInt8 && typeof(T) != typeof(IAutoencoder) };
        var loaded = precision.Load(from, build);
        loading = new Measurement($"load {part}", Stopwatch.GetElapsedTime(start).TotalSeconds, 0, null)
        {
            PeakBytes = memory.Growth,
            WeightBytes = loaded.Weights.Leaves.Sum(leaf => leaf.numel() * leaf.element_size()),
        };
        (from as IDisposable)?.Dispose();
        return loaded;
    }

    private static Tensor Random(Meter meter, params long[] shape)
    {
        using var generator = new Generator(1);
        using var drawn = randn(shape, generator: generator);
        return drawn.to(meter.Precision.Arithmetic, meter.Precision.Device);
    }
}

/// <summary>Times one training step of a sparse autoencoder.</summary>
/// <param name="width">Channels of the vectors.</param>
public sealed class SaeBenchmark(int width, TrainingOptions options) : PartsBenchmark
{
    // Products over the active entries alone: the reconstruction, the gradients of the entries, and those of both weights.
    private const int SparseProducts = 4;

    public override string Name =>
        $"sparse autoencoder, {width} channels, {options.Features} features, k {options.K}, batch {options.BatchSize}";

    private protected override IEnumerable<Measurement> Measure(Meter meter)
    {
        using var generator = new Generator(1);
        using var drawn = randn([options.BatchSize, width], generator: generator);
        using var vectors = drawn.to(meter.Precision.Device);
        using var trainer = SaeTrainer.Start(options, vectors, seed: 1);
        yield return meter.Time("sae step", () => trainer.Step(vectors),
            2L * options.BatchSize * width * (options.Features + (long)SparseProducts * options.K));
    }
}
