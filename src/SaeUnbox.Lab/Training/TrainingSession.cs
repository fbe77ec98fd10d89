using System.Globalization;
using System.Text.Json.Serialization;
using TorchSharp;

namespace SaeUnbox.Lab;

/// <summary>What <see cref="TrainingSession"/> does: which autoencoders, on how many batches, and how often it writes.</summary>
/// <param name="Site">The site trained on.</param>
/// <param name="Autoencoders">Trained side by side on the same batches, so their batch sizes must agree.</param>
/// <param name="Steps">Batches.</param>
public sealed record TrainingPlan(HookSite Site, IReadOnlyList<TrainingOptions> Autoencoders, long Steps)
{
    /// <summary>Fixes weights at the start and the order of the data.</summary>
    public ulong Seed { get; init; } = 42;

    /// <summary>Vectors the centre and the scale are taken from (the reference takes ten batches).</summary>
    public int SampleRows { get; init; } = 40960;

    /// <summary>Steps between rows of the log.</summary>
    public int LogEvery { get; init; } = 10;

    /// <summary>Steps between saved states; what an interruption can lose.</summary>
    public int SaveEvery { get; init; } = 500;

    /// <summary>Vectors mixed in memory at once.</summary>
    public long WindowRows { get; init; } = 1 << 17;

    /// <summary>Trained autoencoders to go on from, one for each, as their loader takes them; null begins with random weights.</summary>
    public IReadOnlyList<string>? From { get; init; }

    internal int BatchSize
    {
        get
        {
            var sizes = Autoencoders.Select(options => options.BatchSize).Distinct().ToArray();
            return sizes.Length == 1 ? sizes[0] : throw new SaeException(
                $"Autoencoders trained side by side need one batch size, these have {string.Join(", ", sizes)}.");
        }
    }
}

/// <summary>How far a session is.</summary>
public readonly record struct TrainingProgress(long StepsDone, long Steps, IReadOnlyList<StepReport> Reports);

/// <summary>
/// Trains several autoencoders in one pass over a collection, into <c>OUTPUT/NAME/final</c> each, in the reference's
/// layout; under way the last saved is in <c>OUTPUT/NAME/STEP</c>. The state is saved now and then and when cancelled; started again with the same plan and data it goes on, bit for bit.
/// </summary>
public static class TrainingSession
{
    private const string StateName = "training.safetensors";
    private const string PlanKey = "plan";

    /// <summary>Runs to the end and returns the folders of the autoencoders.</summary>
    /// <exception cref="OperationCanceledException">Cancelled; the state is saved.</exception>
    /// <exception cref="SaeException">A saved state belongs to another plan or other data, or the data do not fit.</exception>
    /// <exception cref="CheckpointException">Another training is under way in the folder, or the disk is full.</exception>
    public static IReadOnlyList<string> Run(
        TrainingPlan plan,
        ActivationCollection collection,
        string output,
        torch.Device? device = null,
        IProgress<TrainingProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        var stream = new ActivationStream(collection, plan.BatchSize, plan.Seed, plan.WindowRows);
        var folders = plan.Autoencoders.Select(options => Path.Combine(output, NameOf(plan.Site, options))).ToArray();
        if (folders.Distinct().Count() < folders.Length)
            throw new SaeException("Two autoencoders of the plan have the same hyper-parameters and so the same folder.");
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

                progress?.Report(new TrainingProgress(step, plan.Steps, reports));
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
                DropSnapshots(folders[i], snapshot);
                AtomicFile.WriteAllText(
                    Path.Combine(folders[i], "training.svg"), TrainingPlot.Draw(Path.GetFileName(folders[i]), logs[i].Read()));
            }
        }
    }

    // One is enough to look at; the state is what a run goes on from.
    private static void DropSnapshots(string folder, string kept)
    {
        foreach (var path in Directory.GetDirectories(folder))
            if (Path.GetFileName(path) is var name && name != kept && long.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out _))
                Directory.Delete(path, true);
    }

    /// <summary>The folder's name: the reference's, with the variants named behind it.</summary>
    public static string NameOf(HookSite site, TrainingOptions options) =>
        SaeFolderName.Of(site, options.K, options.Features, options.AuxK, options.BatchSize, options.LearningRate)
        + (options.Sparsity == SparsityRule.BatchTopK ? "_batchtopk" : "")
        + (options.PrefixSizes is { } sizes ? "_nested" + string.Join("-", sizes) : "");

    private static TrainingRun Start(TrainingPlan plan, ActivationCollection collection, torch.Device? device)
    {
        using var drawn = collection.Sample(plan.SampleRows, plan.Seed);
        using var sample = device is null ? drawn.alias() : drawn.to(device);
        return new TrainingRun([.. plan.Autoencoders.Select((options, i) => plan.From is { } from
            ? SaeTrainer.GoOn(options, SaeLoader.Load(from[i], device), sample)
            : SaeTrainer.Start(options, sample, plan.Seed + (ulong)i))]);
    }

    private static TrainingRun Resume(string fingerprint, string state, torch.Device? device)
    {
        var (run, notes) = TrainingState.Load(state, device);
        if (notes.GetValueOrDefault(PlanKey) == fingerprint)
            return run;
        run.Dispose();
        throw new SaeException($"{state}: belongs to a training with other options, other data or another start; give another output folder or remove it.");
    }

    // What must not change between a run and its resumption; the number of steps may grow.
    private static string Fingerprint(TrainingPlan plan, ActivationCollection collection) => System.Text.Json.JsonSerializer.Serialize(
        new
        {
            plan.Site.Code, plan.Autoencoders, plan.Seed, plan.SampleRows, plan.WindowRows, Data = collection.Fingerprint,
            From = plan.From?.Select(SaeLoader.FingerprintOf),
        });
}

/// <summary>How many features may be active.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SparsityRule>))]
public enum SparsityRule
{
    /// <summary>The k largest of each position (Gao et al. 2024).</summary>
    TopK,

    /// <summary>The k * batch largest of the whole batch (Bussmann et al. 2024, arXiv 2412.06410).</summary>
    BatchTopK,
}

/// <summary>Every hyper-parameter of training one sparse autoencoder; the defaults are those of the published ones.</summary>
public sealed record TrainingOptions
{
    /// <summary>n, the size of the dictionary.</summary>
    public int Features { get; init; } = 5120;

    /// <summary>Active features per position (BatchTopK: in the mean).</summary>
    public int K { get; init; } = 10;

    /// <summary>Dead features the auxiliary loss may use per position; null: no auxiliary loss.</summary>
    public int? AuxK { get; init; } = 256;

    /// <summary>Weight of the auxiliary loss.</summary>
    public double AuxKCoefficient { get; init; } = 1.0 / 32;

    /// <summary>Vectors per step.</summary>
    public int BatchSize { get; init; } = 4096;

    public double LearningRate { get; init; } = 1e-4;

    public double Beta1 { get; init; } = 0.9;

    public double Beta2 { get; init; } = 0.999;

    public double Epsilon { get; init; } = 6.25e-10;

    /// <summary>Steps over which the learning rate rises from 0; 0: none.</summary>
    public int WarmUpSteps { get; init; }

    /// <summary>A feature that has not fired for this many vectors is dead.</summary>
    public long DeadAfterVectors { get; init; } = 10_000_000;

    public SparsityRule Sparsity { get; init; } = SparsityRule.TopK;

    /// <summary>
    /// Sizes of nested dictionaries that each must reconstruct on their own (Matryoshka: Bussmann et al. 2025,
    /// arXiv 2503.17547), rising and ending with <see cref="Features"/>; null: one dictionary.
    /// </summary>
    public IReadOnlyList<int>? PrefixSizes { get; init; }

    /// <summary>The dead threshold in steps.</summary>
    [JsonIgnore]
    public long DeadStepsThreshold => DeadAfterVectors / BatchSize;

    /// <summary>The learning rate of a step, counted from 0.</summary>
    public double LearningRateAt(long step) =>
        WarmUpSteps > 0 && step < WarmUpSteps ? LearningRate * (step + 1) / WarmUpSteps : LearningRate;

    /// <summary>The configuration of the autoencoder to be trained on vectors of this width.</summary>
    public SaeConfig ToConfig(int width)
    {
        Validate();
        var config = new SaeConfig(Features, width, K, AuxK, DeadStepsThreshold, PrefixSizes: PrefixSizes);
        config.Validate("training options");
        return config;
    }

    /// <summary>Throws a <see cref="SaeException"/> that names the option out of range.</summary>
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
                throw new SaeException($"Training option {option} is {value}, it must be {range}.");
        }
    }
}

/// <summary>Several autoencoders trained in one pass over the same vectors.</summary>
public sealed class TrainingRun : IDisposable
{
    public TrainingRun(IReadOnlyList<SaeTrainer> trainers)
    {
        Trainers = trainers;
    }

    public IReadOnlyList<SaeTrainer> Trainers { get; }

    /// <summary>One step of each on a batch [rows, d]; reports in the trainers' order.</summary>
    public IReadOnlyList<StepReport> Step(torch.Tensor batch)
    {
        var reports = new StepReport[Trainers.Count];
        for (var i = 0; i < reports.Length; i++)
            reports[i] = Trainers[i].Step(batch);
        return reports;
    }

    public void Dispose()
    {
        foreach (var trainer in Trainers)
            trainer.Dispose();
    }
}
