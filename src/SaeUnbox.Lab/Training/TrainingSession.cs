using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using TorchSharp;

namespace SaeUnbox.Lab;

/// <summary>What a <see cref="TrainingSession"/> trains, and how often it writes.</summary>
/// <param name="Autoencoders">Trained on the same batches, so that their batch sizes must be equal.</param>
/// <param name="Steps">Number of batches.</param>
public sealed record TrainingPlan(Site Site, IReadOnlyList<TrainingOptions> Autoencoders, long Steps)
{
    /// <summary>Seed of the initial weights and the order of the data.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Vectors used to find centre and scale of the data; the reference uses ten batches.</summary>
    public int SampleRows { get; init; } = 40960;

    /// <summary>Steps between rows of the log.</summary>
    public int LogEvery { get; init; } = 10;

    /// <summary>Steps between saved states. A crash loses at most this many.</summary>
    public int SaveEvery { get; init; } = 500;

    /// <summary>Vectors shuffled in memory at a time.</summary>
    public long WindowRows { get; init; } = 1 << 17;

    /// <summary>Folders of trained autoencoders to start from, one for each; null to start with random weights.</summary>
    public IReadOnlyList<string>? From { get; init; }

    internal int BatchSize
    {
        get
        {
            var sizes = Autoencoders.Select(options => options.BatchSize).Distinct().ToArray();
            return sizes.Length == 1
                ? sizes[0]
                : throw new SaeException($"Autoencoders trained together need the same batch size; these have {string.Join(", ", sizes)}.");
        }
    }
}

/// <summary>The progress of a training.</summary>
/// <param name="Reports">The last step of each autoencoder.</param>
public readonly record struct TrainingProgress(long StepsDone, long Steps, IReadOnlyList<StepReport> Reports);

/// <summary>
/// Trains several autoencoders in one pass over a collection, and writes each to <c>OUTPUT/NAME/final</c> in the layout of the reference.
/// During training the last snapshot is in <c>OUTPUT/NAME/STEP</c>. The state is saved regularly and on cancellation; with the same plan
/// and data a run continues from it, on the CPU bit for bit.
/// </summary>
public static class TrainingSession
{
    private const string StateName = "training.safetensors";
    private const string PlanKey = "plan";

    /// <param name="device">cpu, cuda or cuda:N.</param>
    /// <returns>The folders of the autoencoders.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled; the state is saved.</exception>
    /// <exception cref="SaeException">A saved state belongs to another plan or other data, or the options do not fit the data.</exception>
    /// <exception cref="CheckpointException">Another training is under way in the folder, or the disk is full.</exception>
    public static IReadOnlyList<string> Run(
        TrainingPlan plan,
        ActivationCollection collection,
        string output,
        string device = "cpu",
        Action<TrainingProgress>? progress = null,
        CancellationToken cancellation = default) =>
        Run(plan, collection, output, OnDevice.Open(device), progress, cancellation);

    internal static IReadOnlyList<string> Run(
        TrainingPlan plan, ActivationCollection collection, string output, torch.Device device, Action<TrainingProgress>? progress,
        CancellationToken cancellation)
    {
        var stream = new ActivationStream(collection, plan.BatchSize, plan.Seed, plan.WindowRows);
        var folders = plan.Autoencoders.Select(options => Path.Combine(output, NameOf(plan.Site, options))).ToArray();
        if (folders.Distinct().Count() < folders.Length)
            throw new SaeException("Two autoencoders of the plan have the same hyperparameters, and so the same folder.");
        foreach (var folder in folders)
            Files.CreateFolder(folder);
        using var alone = FolderLock.Take(output);

        var state = Path.Combine(output, $"{plan.Site.Code}.{StateName}");
        var fingerprint = Fingerprint(plan, collection);
        using var run = File.Exists(state) ? Resume(fingerprint, state, device) : Start(plan, collection, device);
        var step = run.Trainers[0].StepsDone;
        var logs = folders.Select(folder => new TrainingLog(Path.Combine(folder, "log.csv"), step)).ToArray();
        foreach (var batch in stream.Read(step))
        {
            using (batch)
            {
                if (step >= plan.Steps)
                    break;
                if (cancellation.IsCancellationRequested)
                {
                    Save();
                    cancellation.ThrowIfCancellationRequested();
                }

                var reports = run.Step(batch);
                if (step++ % plan.LogEvery == 0 || step == plan.Steps)
                {
                    for (var i = 0; i < logs.Length; i++)
                        logs[i].Add(reports[i]);
                }

                progress?.Invoke(new TrainingProgress(step, plan.Steps, reports));
                if (step % plan.SaveEvery == 0)
                    Save();
            }
        }

        Save("final");
        return folders;

        void Save(string? snapshot = null)
        {
            TrainingState.Save(run, state, new Dictionary<string, string> { [PlanKey] = fingerprint });
            snapshot ??= step.ToString(CultureInfo.InvariantCulture);
            for (var i = 0; i < folders.Length; i++)
            {
                SaeWriter.Save(run.Trainers[i].Sae, Path.Combine(folders[i], snapshot));
                DeleteOldSnapshots(folders[i], snapshot);
                AtomicFile.WriteAllText(
                    Path.Combine(folders[i], "training.svg"), TrainingPlot.Draw(Path.GetFileName(folders[i]), logs[i].Read()));
            }
        }
    }

    private static void DeleteOldSnapshots(string folder, string kept)
    {
        foreach (var path in Directory.GetDirectories(folder))
            if (Path.GetFileName(path) is var name && name != kept
                && long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _))
                Directory.Delete(path, true);
    }

    /// <summary>The name of the folder: as in the reference, followed by the variant.</summary>
    public static string NameOf(Site site, TrainingOptions options) =>
        SaeFolderName.Of(site, options.K, options.Features, options.AuxK, options.BatchSize, options.LearningRate)
        + (options.Sparsity == SparsityRule.BatchTopK ? "_batchtopk" : "")
        + (options.PrefixSizes is { } sizes ? "_nested" + string.Join("-", sizes) : "");

    private static TrainingRun Start(TrainingPlan plan, ActivationCollection collection, torch.Device device)
    {
        using var drawn = collection.Sample(plan.SampleRows, plan.Seed);
        using var sample = drawn.to(device);
        return new TrainingRun([.. plan.Autoencoders.Select((options, i) => plan.From is { } from
            ? SaeTrainer.StartFrom(options, Trainable(from[i], device), sample)
            : SaeTrainer.Start(options, sample, plan.Seed + (ulong)i))]);
    }

    private static SparseAutoencoder Trainable(string path, torch.Device device)
    {
        var sae = SaeLoader.Load(path, device);
        if (sae.IsReferenceForm)
            return sae;
        sae.Dispose();
        throw new SaeException($"{path}: training continues TopK and BatchTopK autoencoders with one bias, and this is another kind.");
    }

    private static TrainingRun Resume(string fingerprint, string state, torch.Device device)
    {
        var (run, notes) = TrainingState.Load(state, device);
        if (notes.GetValueOrDefault(PlanKey) == fingerprint)
            return run;
        run.Dispose();
        throw new SaeException($"{state}: belongs to a training with other options, other data or another start; "
            + "choose another output folder, or delete the file.");
    }

    // Everything that must not change when a run continues. The number of steps may.
    private static string Fingerprint(TrainingPlan plan, ActivationCollection collection) => JsonSerializer.Serialize(
        new
        {
            plan.Site.Code,
            plan.Autoencoders,
            plan.Seed,
            plan.SampleRows,
            plan.WindowRows,
            Data = collection.Fingerprint,
            From = plan.From?.Select(SaeLoader.FingerprintOf),
        });
}

/// <summary>The rule that chooses the active features.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SparsityRule>))]
public enum SparsityRule
{
    /// <summary>The k largest of each position (Gao et al. 2024, arXiv 2406.04093).</summary>
    TopK,

    /// <summary>The k * batch largest of the whole batch (Bussmann et al. 2024, arXiv 2412.06410).</summary>
    BatchTopK,
}

/// <summary>The hyperparameters of a sparse autoencoder. The defaults are those of the published ones.</summary>
public sealed record TrainingOptions
{
    /// <summary>Size of the dictionary, n.</summary>
    public int Features { get; init; } = 5120;

    /// <summary>Active features per position; with BatchTopK on average.</summary>
    public int K { get; init; } = 10;

    /// <summary>Dead features per position that the auxiliary loss uses; null for no auxiliary loss.</summary>
    public int? AuxK { get; init; } = 256;

    /// <summary>Weight of the auxiliary loss.</summary>
    public double AuxKCoefficient { get; init; } = 1.0 / 32;

    /// <summary>Vectors per step.</summary>
    public int BatchSize { get; init; } = 4096;

    public double LearningRate { get; init; } = 1e-4;

    public double Beta1 { get; init; } = 0.9;

    public double Beta2 { get; init; } = 0.999;

    public double Epsilon { get; init; } = 6.25e-10;

    /// <summary>Steps over which the learning rate rises from 0.</summary>
    public int WarmUpSteps { get; init; }

    /// <summary>A feature that was not active for this many vectors is dead.</summary>
    public long DeadAfterVectors { get; init; } = 10_000_000;

    public SparsityRule Sparsity { get; init; } = SparsityRule.TopK;

    /// <summary>
    /// Sizes of nested dictionaries, each of which must reconstruct on its own (Matryoshka: Bussmann et al. 2025, arXiv 2503.17547). They
    /// rise and end with <see cref="Features"/>. Null for one dictionary.
    /// </summary>
    public IReadOnlyList<int>? PrefixSizes { get; init; }

    /// <summary><see cref="DeadAfterVectors"/> in steps.</summary>
    [JsonIgnore]
    public long DeadStepsThreshold => DeadAfterVectors / BatchSize;

    /// <param name="step">Counted from 0.</param>
    public double LearningRateAt(long step) =>
        WarmUpSteps > 0 && step < WarmUpSteps ? LearningRate * (step + 1) / WarmUpSteps : LearningRate;

    /// <summary>The configuration of an autoencoder for vectors of this width.</summary>
    /// <exception cref="SaeException">An option is out of range; the message names it.</exception>
    public SaeConfig ToConfig(int width)
    {
        Validate();
        var config = new SaeConfig(Features, width, K, AuxK, DeadStepsThreshold, PrefixSizes: PrefixSizes);
        config.Validate("training options");
        return config;
    }

    /// <exception cref="SaeException">An option is out of range; the message names it.</exception>
    public void Validate()
    {
        Require(BatchSize >= 1, nameof(BatchSize), BatchSize, "at least 1");
        Require(double.IsFinite(LearningRate) && LearningRate > 0, nameof(LearningRate), LearningRate, "a number above 0");
        Require(Beta1 is >= 0 and < 1, nameof(Beta1), Beta1, "in [0, 1)");
        Require(Beta2 is >= 0 and < 1, nameof(Beta2), Beta2, "in [0, 1)");
        Require(double.IsFinite(Epsilon) && Epsilon > 0, nameof(Epsilon), Epsilon, "a number above 0");
        Require(double.IsFinite(AuxKCoefficient) && AuxKCoefficient >= 0, nameof(AuxKCoefficient), AuxKCoefficient, "at least 0");
        Require(WarmUpSteps >= 0, nameof(WarmUpSteps), WarmUpSteps, "at least 0");
        Require(DeadAfterVectors >= 0, nameof(DeadAfterVectors), DeadAfterVectors, "at least 0");

        static void Require(bool holds, string option, object value, string range)
        {
            if (!holds)
                throw new SaeException($"Training option {option} is {value}; it must be {range}.");
        }
    }
}

/// <summary>Autoencoders that are trained on the same batches.</summary>
public sealed class TrainingRun(IReadOnlyList<SaeTrainer> trainers) : IDisposable
{
    public IReadOnlyList<SaeTrainer> Trainers => trainers;

    /// <summary>Does one step of each on a batch [rows, d].</summary>
    public IReadOnlyList<StepReport> Step(torch.Tensor batch) => [.. trainers.Select(trainer => trainer.Step(batch))];

    public void Dispose()
    {
        foreach (var trainer in trainers)
            trainer.Dispose();
    }
}
