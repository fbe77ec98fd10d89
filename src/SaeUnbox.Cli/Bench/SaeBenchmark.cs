using SaeUnbox.Cli.Options;
using static TorchSharp.torch;

namespace SaeUnbox.Cli.Bench;

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
