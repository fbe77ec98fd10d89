using System.Diagnostics;

namespace SaeUnbox.Cli.Serving;

/// <summary>
/// Measures painting on several canvases through a queue. Each canvas submits its next stroke as soon as the last picture arrives. Canvases
/// have different seeds, so that each has its own cached run.
/// </summary>
internal sealed class ServingBenchmark(IGenerationQueue queue, ModelInfo model)
{
    private const int WarmUp = 3;
    private const string Prompt = "a red house and a pine tree on snow at sunset, mountains behind";

    public async Task<ServingFigures> RunAsync(int canvases, TimeSpan time, CancellationToken cancellation)
    {
        for (var number = 0; number < WarmUp; number++)
            await MakeAsync(Job(0, number), cancellation);
        var clock = Stopwatch.StartNew();
        var painters = await Task.WhenAll(Enumerable.Range(0, canvases).Select(canvas => PaintAsync(canvas, clock, time, cancellation)));
        var seconds = clock.Elapsed.TotalSeconds;
        List<double> latencies = [.. painters.SelectMany(painter => painter.Latencies)];
        List<double> device = [.. painters.SelectMany(painter => painter.Device)];
        List<double> beside = [.. latencies.Zip(device, (all, part) => all - part).Order()];
        return ServingFigures.Of(canvases, latencies, latencies.Count, seconds, seconds * canvases,
            device.Sum() / seconds / 1000) with
        { Beside = ServingFigures.Quantile(beside, .5) };
    }

    /// <summary>Measures one painter alone, then beside a single client who paints on many canvases at once.</summary>
    public async Task<(ServingFigures Alone, ServingFigures Beside)> RunBesideAsync(int canvases, TimeSpan time,
        CancellationToken cancellation)
    {
        var alone = await RunAsync(1, time, cancellation);
        var clock = Stopwatch.StartNew();
        var greedy = Task.WhenAll(Enumerable.Range(1, canvases).Select(canvas => PaintAsync(canvas, clock, time, cancellation, "greedy")));
        var (latencies, device) = await PaintAsync(0, clock, time, cancellation);
        var seconds = clock.Elapsed.TotalSeconds;
        await greedy;
        return (alone, ServingFigures.Of(1, latencies, latencies.Count, seconds, seconds, device.Sum() / seconds / 1000));
    }

    private async Task<(List<double> Latencies, List<double> Device)> PaintAsync(int canvas, Stopwatch clock, TimeSpan time,
        CancellationToken cancellation, string? client = null)
    {
        var (latencies, device) = (new List<double>(), new List<double>());
        for (var number = 0; clock.Elapsed < time; number++)
        {
            var start = Stopwatch.GetTimestamp();
            var job = Job(canvas, number);
            var result = await MakeAsync(job with { Client = client ?? job.Client }, cancellation);
            latencies.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            device.Add(result.Timings.Where(stage => stage.Stage != StageTiming.Wait).Sum(stage => stage.Duration.TotalMilliseconds));
        }
        return (latencies, device);
    }

    private async Task<GenerationResult> MakeAsync(GenerationJob job, CancellationToken cancellation)
    {
        await queue.SubmitAsync(job, cancellation);
        await foreach (var progress in queue.WatchAsync(job.Id, cancellation))
            switch (progress)
            {
                case GenerationProgress.Completed done: return done.Result;
                case GenerationProgress.Failed failed: throw new CliException(failed.Message);
            }
        throw new CliException("the job ended without a picture; the queue may be shutting down");
    }

    // A moving box, at the default strength.
    private GenerationJob Job(int canvas, int number)
    {
        var sae = model.Sites[canvas % model.Sites.Count];
        var (rows, columns) = sae.Grid(model.Width, model.Height);
        var cells = new float[rows * columns];
        for (var row = 0; row < rows / 2; row++)
            cells.AsSpan((row * columns) + (number % (columns / 2)), columns / 2).Fill(1);
        var edit = new FeatureEdit(sae.Site, (canvas * 31) % sae.Features, 5)
        {
            Mode = EditMode.Scale,
            Mask = BrushMask.FromCells(rows, columns, cells)
        };
        var recipe = model.NewRecipe(Prompt) with { Seed = canvas, Edits = [edit] };
        return new(Guid.NewGuid(), recipe.Check()) { Canvas = $"bench-{canvas}", Client = $"bench-{canvas}", Picture = PictureFormat.Jpeg };
    }
}

internal static class ServingTable
{
    public static string Of(int canvases, ServingFigures alone, ServingFigures beside) => string.Create(CultureInfo.InvariantCulture,
        $"a painter alone: {alone.JobsPerSecond:0.0} pictures/s, p95 {alone.P95:0} ms; beside a client with {canvases} canvases: "
        + $"{beside.JobsPerSecond:0.0} pictures/s, p95 {beside.P95:0} ms, {beside.P95 / alone.P95:0.00} times that\n");

    private const string Head = "canvases   jobs/s   p50 ms   p95 ms   p99 ms   frames/s each   busy";

    public static string Of(IEnumerable<ServingFigures> figures) => Lines(Head, figures.Select(Line));

    /// <summary>A table for several numbers of devices.</summary>
    public static string Of(IEnumerable<(int Workers, ServingFigures Figures)> sizes) =>
        Lines($" workers {Head}",
            sizes.Select(size => string.Create(CultureInfo.InvariantCulture, $"{size.Workers,8} {Line(size.Figures)}")));

    private static string Lines(string head, IEnumerable<string> lines) =>
        new StringBuilder().AppendLine(head).AppendJoin('\n', lines).AppendLine().ToString();

    private static string Line(ServingFigures line) => string.Create(CultureInfo.InvariantCulture,
        $"{line.Canvases,8} {line.JobsPerSecond,8:0.0} {line.P50,8:0} {line.P95,8:0} {line.P99,8:0} {line.FramesPerSecond,15:0.0} "
        + $"{line.Busy,6:0 %}");
}

/// <summary>How users paint, and how fast the devices are. Times are in milliseconds.</summary>
internal sealed record PaintingLoad
{
    public int Canvases { get; init; } = 1;

    /// <summary>Number of devices. Each runs one job at a time.</summary>
    public int Workers { get; init; } = 1;

    /// <summary>Time between strokes of a moving brush. 0: the next stroke follows as soon as the last one's picture arrives.</summary>
    public double StrokeEvery { get; init; } = 40;

    /// <summary>Mean length of a period of painting (exponential distribution).</summary>
    public double Painting { get; init; } = 3000;

    /// <summary>Mean length of the pause between periods of painting (exponential distribution). 0: users paint without pauses.</summary>
    public double Pausing { get; init; }

    /// <summary>Median time that a device takes for an edit (log-normal distribution).</summary>
    public double Service { get; init; } = 60;

    /// <summary>95th percentile of the time that a device takes for an edit.</summary>
    public double ServiceP95 { get; init; } = 80;

    /// <summary>Additional time per picture outside the device: network, broker, browser.</summary>
    public double Overhead { get; init; }

    public double Duration { get; init; } = 120_000;
}

/// <param name="JobsPerSecond">Pictures per second on all canvases together.</param>
/// <param name="P50">Median time from a stroke to the first picture that shows it, in milliseconds.</param>
/// <param name="FramesPerSecond">Pictures per second on a canvas while it is painted on.</param>
/// <param name="Busy">Fraction of the time that devices are busy.</param>
internal sealed record ServingFigures(int Canvases, double JobsPerSecond, double P50, double P95, double P99, double FramesPerSecond,
    double Busy)
{
    /// <summary>Median time of a job outside the device, in milliseconds; null if not measured.</summary>
    public double? Beside { get; init; }

    public static ServingFigures Of(int canvases, List<double> latencies, int pictures, double seconds, double paintingSeconds, double busy)
    {
        latencies.Sort();
        return new(canvases, pictures / seconds, At(.5), At(.95), At(.99), paintingSeconds > 0 ? pictures / paintingSeconds : 0, busy);

        double At(double share) => Quantile(latencies, share);
    }

    /// <param name="sorted">Ascending. The quantile of an empty list is 0.</param>
    public static double Quantile(List<double> sorted, double share) => sorted.Count == 0 ? 0 : sorted[(int)(share * (sorted.Count - 1))];
}
