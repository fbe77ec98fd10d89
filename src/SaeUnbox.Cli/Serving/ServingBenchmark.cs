using System.Diagnostics;

namespace SaeUnbox.Cli.Serving;

/// <summary>
/// Measures painting on several canvases through a queue. Each canvas submits its next stroke as soon as the last picture arrives. Canvases have
/// different seeds, so that each has its own cached run.
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
        return ServingFigures.Of(canvases, latencies, latencies.Count, seconds, seconds * canvases, device.Sum() / seconds / 1000) with { Beside = ServingFigures.Quantile(beside, .5) };
    }

    private async Task<(List<double> Latencies, List<double> Device)> PaintAsync(int canvas, Stopwatch clock, TimeSpan time, CancellationToken cancellation)
    {
        var (latencies, device) = (new List<double>(), new List<double>());
        for (var number = 0; clock.Elapsed < time; number++)
        {
            var start = Stopwatch.GetTimestamp();
            var result = await MakeAsync(Job(canvas, number), cancellation);
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
        var edit = new FeatureEdit(sae.Site, (canvas * 31) % sae.Features, 5) { Mode = EditMode.Scale, Mask = BrushMask.FromCells(rows, columns, cells) };
        return new(Guid.NewGuid(), model.NewRecipe(Prompt) with { Seed = canvas, Edits = [edit] }) { Canvas = $"bench-{canvas}", Client = $"bench-{canvas}", Picture = PictureFormat.Jpeg };
    }
}
