using System.Text.Json;
using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// The last stages: trains a sparse autoencoder for each site of the finished model, and measures the mean and standard deviation of its
/// features. Weights are stored in the layout of the reference and in float16, like those of the model.
/// </summary>
internal static class AutoencoderTraining
{
    private const int ReportEvery = 10;

    public static void Run(MiniTrainingOptions options, MiniFolder folder, IMiniTrainingProgress progress, Device device,
        CancellationToken cancellation)
    {
        Threads.Use(options.Network.Workers);
        DeleteOthers(options, folder);
        if (options.Autoencoders.Steps == 0 && folder.Start is { } start)
        {
            start.CopyAutoencoders(folder);
            return;
        }
        ActivationSampling.Run(options, folder, progress, device, cancellation);
        foreach (var site in MiniModel.Sites)
            Train(site, options, folder, progress, device, cancellation);
    }

    private static void Train(Site site, MiniTrainingOptions options, MiniFolder folder, IMiniTrainingProgress progress, Device device,
        CancellationToken cancellation)
    {
        var plan = Plan(site, options);
        if (folder.Start is { } start)
            plan = plan with { From = [SaeSet.Find(start.Autoencoders)[site]] };
        var target = Path.Combine(folder.Autoencoders, TrainingSession.NameOf(site, plan.Autoencoders[0]), "final");
        if (File.Exists(Path.Combine(target, "std.pt"))) // the last file that is written
            return;
        var collection = ActivationCollection.Open(folder.Activations, site);
        var trained = TrainingSession.Run(
            plan, collection, folder.AutoencoderStates, device, new Reporter(site, plan, progress).Report, cancellation)[0];
        using (var sae = SaeLoader.Load(trained))
            SaeWriter.Save(sae, target, ScalarType.Float16);
        // Measures the weights as rounded to float16, because these are used.
        using var rounded = SaeLoader.Load(target, device);
        SaeWriter.SaveScale(ActivationStatistics.Measure(rounded, collection, cancellation: cancellation).Scale, target);
        progress.Saved($"autoencoder {site.Code}", (int)plan.Steps, target, null);
    }

    private static TrainingPlan Plan(Site site, MiniTrainingOptions options)
    {
        var wanted = options.Autoencoders;
        return new(site, [new TrainingOptions
        {
            Features = wanted.Features, K = wanted.K, AuxK = wanted.AuxK, BatchSize = wanted.Batch, LearningRate = wanted.LearningRate,
            WarmUpSteps = wanted.WarmUp, DeadAfterVectors = wanted.DeadAfterVectors,
        }], wanted.Steps)
        { Seed = (ulong)options.Seed };
    }

    // Deletes activations and autoencoders of another model: of other options, or of a shorter training.
    private static void DeleteOthers(MiniTrainingOptions options, MiniFolder folder)
    {
        Directory.CreateDirectory(folder.AutoencoderStates);
        var note = Path.Combine(folder.AutoencoderStates, "options.json");
        var text = JsonSerializer.Serialize(options with { Evaluation = new(), Atlas = new() });
        if (File.Exists(note) && File.ReadAllText(note) == text)
            return;
        foreach (var part in (string[])[folder.Activations, folder.AutoencoderStates, folder.Autoencoders, folder.Atlas])
            if (Directory.Exists(part))
                Directory.Delete(part, true);
        File.Delete(folder.Figures);
        Directory.CreateDirectory(folder.AutoencoderStates);
        AtomicFile.WriteAllText(note, text);
    }

    private sealed class Reporter(Site site, TrainingPlan plan, IMiniTrainingProgress progress)
    {
        private StageClock? _clock;

        public void Report(TrainingProgress value)
        {
            var step = (int)value.StepsDone;
            _clock ??= new StageClock($"autoencoder {site.Code}", (int)value.Steps, progress, step - 1);
            if (step % ReportEvery != 0 && step != value.Steps)
                return;
            var report = value.Reports[0];
            _clock.Report(step, (double)plan.Autoencoders[0].BatchSize / (CellMask.Side * CellMask.Side), new Dictionary<string, double>
            {
                ["loss"] = report.Total,
                ["explained"] = report.ExplainedVariance,
                ["dead"] = report.Dead,
            });
        }
    }
}

/// <summary>Collects the activations of the finished model at its four sites. It continues after the last complete shard.</summary>
internal static class ActivationSampling
{
    public const string Stage = "activations";
    private const int Purpose = 8, Batch = 8, ItemsPerShard = 64;

    public static void Run(MiniTrainingOptions options, MiniFolder folder, IMiniTrainingProgress progress, Device device,
        CancellationToken cancellation)
    {
        using var writer = new CollectionWriter(folder.Activations, MiniModel.Sites,
            new CollectionOptions { ItemsPerShard = ItemsPerShard });
        var pictures = options.Autoencoders.Pictures;
        if (writer.NextItem >= pictures)
            return;
        using var model = new MiniModel(folder.Model, device);
        using var noGrad = no_grad();
        var clock = new StageClock(Stage, pictures, progress, (int)writer.NextItem);
        while (writer.NextItem < pictures)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var first = (int)writer.NextItem;
            CaptionedScene[] scenes = [.. Enumerable.Range(first, Math.Min(Batch, pictures - first))
                .Select(i => CaptionedScene.Draw(RandomAt.Place(options.Seed, Purpose, i), options.Scenes))];
            using var run = model.Run(scenes);
            var differences = MiniModel.Sites.ToDictionary(site => site, run.Difference);
            foreach (var i in Enumerable.Range(0, scenes.Length))
                writer.Add(first + i, differences.ToDictionary(pair => pair.Key, pair => pair.Value[i]));
            clock.Report((int)writer.NextItem, 1, new Dictionary<string, double>());
        }
        writer.Complete();
        progress.Saved(Stage, pictures, folder.Activations, null);
    }
}
