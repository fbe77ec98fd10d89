using System.Diagnostics;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Times what takes longest in the lab: collecting activations, and training an autoencoder on them.</summary>
public static class LabBenchmark
{
    private const int Shards = 4;

    /// <summary>Collects activations of some pictures, as <see cref="ActivationCollector"/> does.</summary>
    /// <param name="pictures">How many, after as many as are computed together to warm up.</param>
    /// <param name="together">Pictures that are computed together.</param>
    public static LabFigures Collect(LoadedModel model, int pictures, int together, CancellationToken cancellation = default)
    {
        var folder = Directory.CreateTempSubdirectory("saeunbox-");
        try
        {
            var clock = new Clock(together);
            var recipe = model.Info.NewRecipe();
            var request = new CollectionRequest
            {
                Sites = model.Saes.Count > 0 ? [.. model.Saes.Keys] : model.Model.KnownSites(),
                Captions = [.. Enumerable.Range(0, together + pictures).Select(i => new Caption($"a house and a boat at sea, {i}", i))],
                Steps = recipe.Steps,
                Guidance = recipe.Guidance,
                Width = recipe.Width,
                Height = recipe.Height,
                Pictures = together,
            };
            ActivationCollector.Run(model, request, folder.FullName, at => clock.Report(at.Done), cancellation);
            return clock.Figures($"collect, {together} at once", "pictures", pictures);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>Trains on random vectors, as <see cref="TrainingSession"/> does. Initialisation and saving are not timed.</summary>
    /// <param name="width">Channels of the vectors.</param>
    /// <param name="steps">How many, after one to warm up.</param>
    public static LabFigures Train(TrainingOptions options, int width, int steps, string device, CancellationToken cancellation = default)
    {
        var folder = Directory.CreateTempSubdirectory("saeunbox-");
        try
        {
            var data = Path.Combine(folder.FullName, "data");
            Write(data, options.BatchSize, width);
            var clock = new Clock(1);
            var plan = new TrainingPlan(Site.Composition, [options], steps + 1)
            {
                LogEvery = int.MaxValue,
                SaveEvery = int.MaxValue,
            };
            TrainingSession.Run(plan, ActivationCollection.Open(data, plan.Site), Path.Combine(folder.FullName, "saes"), device,
                at => clock.Report(at.StepsDone), cancellation);
            return clock.Figures($"train-sae, {width} x {options.Features}, batch {options.BatchSize}", "steps", steps);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Write(string folder, int batch, int width)
    {
        using var mode = no_grad();
        using var generator = new Generator(1);
        using var writer = new CollectionWriter(folder, [Site.Composition], new CollectionOptions { ItemsPerShard = 1 });
        for (var item = 0; item < Shards; item++)
        {
            using var vectors = randn([batch, 1, width], generator: generator);
            writer.Add(item, new Dictionary<Site, Tensor> { [Site.Composition] = vectors });
        }
        writer.Complete();
    }

    // Starts when the warm-up is done, and ends with the last report.
    private sealed class Clock(int warmUp)
    {
        private readonly PeakMemory _memory = new();
        private (long Time, TimeSpan Processor)? _start, _end;

        public LabFigures Figures(string what, string unit, int count) => new(
            what, unit, count, Stopwatch.GetElapsedTime(_start!.Value.Time, _end!.Value.Time).TotalSeconds,
            (_end.Value.Processor - _start.Value.Processor).TotalSeconds, PeakMemory.OfProcess, _memory.Growth);

        public void Report(long done)
        {
            using var process = Process.GetCurrentProcess();
            var now = (Stopwatch.GetTimestamp(), process.TotalProcessorTime);
            if (done <= warmUp)
                _start = now;
            _end = now;
        }
    }
}

/// <summary>How fast a piece of the lab's work is.</summary>
/// <param name="What">The work.</param>
/// <param name="Unit">What is counted.</param>
/// <param name="Count">How many were timed.</param>
/// <param name="ProcessorSeconds">Time of all cores together.</param>
/// <param name="PeakBytes">The largest resident memory of the process during the work.</param>
/// <param name="GrowthBytes">That, less what it had before; null where the system does not tell.</param>
public sealed record LabFigures(
    string What, string Unit, int Count, double Seconds, double ProcessorSeconds, long PeakBytes, long? GrowthBytes)
{
    public double PerSecond => Count / Seconds;
}
