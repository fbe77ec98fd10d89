using System.Diagnostics;

namespace SaeUnbox.Lab;

/// <summary>Times the loading of a model against a plain read of its files, and compares its peak of memory with its weights.</summary>
public static class LoadingBenchmark
{
    private const int BufferBytes = 8 << 20;

    private static readonly string[] Parts = ["text_encoder", "text_encoder_2", "unet", "vae"];

    /// <summary>
    /// Reads the files, then loads the model, in turn. The first read is not timed, so that all find the files cached alike.
    /// </summary>
    /// <param name="repeats">Timed reads and loads; the medians count.</param>
    /// <exception cref="ModelException">The model is not usable.</exception>
    /// <exception cref="CheckpointException">The weights are not usable.</exception>
    public static LoadingFigures Run(ModelOptions options, int repeats, CancellationToken cancellation = default)
    {
        var files = Files(options.Folder);
        Read(files, cancellation);
        var (reads, loads) = (new List<Duration>(), new List<Duration>());
        var (weights, peak) = (0L, (long?)null);
        for (var i = 0; i < repeats; i++)
        {
            reads.Add(Time(() => Read(files, cancellation)));
            GC.Collect();
            var before = Environment.WorkingSet;
            var memory = new PeakMemory();
            LoadedModel? model = null;
            try
            {
                loads.Add(Time(() => model = LoadedModel.Load(options, cancellation: cancellation)));
                // Later loads get the memory that the first one left.
                if (i == 0)
                    (weights, peak) = (Environment.WorkingSet - before, memory.Growth);
            }
            finally
            {
                model?.Dispose();
            }
        }

        return new LoadingFigures(files.Sum(file => new FileInfo(file).Length), Median(reads), Median(loads), weights, peak);
    }

    private static IReadOnlyList<string> Files(string path)
    {
        if (File.Exists(path))
            return [path];
        return [.. Parts.Select(part => Path.Combine(path, part)).Where(Directory.Exists).SelectMany(Weights)];

        static IEnumerable<string> Weights(string folder)
        {
            using var checkpoint = Checkpoint.OpenFolder(folder);
            return checkpoint.Path.EndsWith(".json", StringComparison.Ordinal)
                ? Directory.EnumerateFiles(folder, "*-of-*")
                : [checkpoint.Path];
        }
    }

    private static void Read(IReadOnlyList<string> files, CancellationToken cancellation)
    {
        var buffer = new byte[BufferBytes];
        foreach (var path in files)
        {
            using var file = File.OpenHandle(path);
            for (long position = 0, count; (count = RandomAccess.Read(file, buffer, position)) > 0; position += count)
                cancellation.ThrowIfCancellationRequested();
        }
    }

    private static Duration Time(Action work)
    {
        var (start, processor) = (Stopwatch.GetTimestamp(), Environment.CpuUsage.TotalTime);
        work();
        return new Duration(
            Stopwatch.GetElapsedTime(start).TotalSeconds, (Environment.CpuUsage.TotalTime - processor).TotalSeconds);
    }

    private static Duration Median(List<Duration> values) => new(Median(values.Select(one => one.Seconds)),
        Median(values.Select(one => one.ProcessorSeconds)));

    private static double Median(IEnumerable<double> values) => values.Order().ToArray() is var sorted ? sorted[sorted.Length / 2] : 0;
}

/// <summary>How a model is loaded.</summary>
/// <param name="FileBytes">Size of its files.</param>
/// <param name="Read">Time that a plain read of them takes.</param>
/// <param name="Load">Time that loading the model takes.</param>
/// <param name="WeightBytes">Resident memory that the loaded model takes; on a GPU its weights do not count.</param>
/// <param name="PeakBytes">Most memory that was taken while it was loaded; null where the system does not tell.</param>
public sealed record LoadingFigures(long FileBytes, Duration Read, Duration Load, long WeightBytes, long? PeakBytes);

/// <summary>How long work takes.</summary>
/// <param name="Seconds">By the clock.</param>
/// <param name="ProcessorSeconds">Of all threads together, the kernel's part included.</param>
public readonly record struct Duration(double Seconds, double ProcessorSeconds);
