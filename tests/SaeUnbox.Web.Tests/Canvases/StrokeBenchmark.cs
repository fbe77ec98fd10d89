using System.Diagnostics;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Tests.Canvases;

/// <summary>
/// Measures what a stroke costs the web node beside the picture itself: reading the mask, the new recipe, the job, and telling the painter.
/// </summary>
public sealed class StrokeBenchmark(ITestOutputHelper output)
{
    private const int Strokes = 1_500, Side = 32, Layers = 4;

    [Fact(Explicit = true)]
    public void Paint_ManyStrokes_ReportsAllocationsAndProcessorTime()
    {
        using var limits = new ClientLimits(Options.Create(new CanvasOptions
        {
            Burst = 1 << 20,
            RequestsPerSecond = 1 << 20,
            StrokesPerSecond = 1 << 20,
            StrokeBurst = 1 << 20
        }));
        var mask = BrushMask.FromCells(Side, Side, [.. Enumerable.Range(0, Side * Side).Select(cell => cell % 7 / 6f)]).ToString();
        var layer = new FeatureEdit(Site.Composition, 1, 5) { Mask = BrushMask.Parse(mask) };
        var recipe = OneModel.Mini.NewRecipe("a house by the sea") with { Edits = [.. Enumerable.Repeat(layer, Layers)] };
        var canvas = new CanvasSession("canvas", "ann", recipe.Check(), new NoQueue(), new OneModel(), limits, TimeProvider.System);
        using var watcher = new CanvasRelay.Watcher(canvas, new Listener(), "mine");
        Paint(500);
        var (allocated, processor) = (GC.GetTotalAllocatedBytes(precise: true), Process.GetCurrentProcess().TotalProcessorTime);
        Paint(Strokes);
        var kib = (GC.GetTotalAllocatedBytes(precise: true) - allocated) / 1024.0 / Strokes;
        var microseconds = (Process.GetCurrentProcess().TotalProcessorTime - processor).TotalMicroseconds / Strokes;
        output.WriteLine(FormattableString.Invariant($"a stroke: {kib:0.0} KiB, {microseconds:0} µs"));

        void Paint(int count)
        {
            for (var i = 0; i < count; i++, Thread.Sleep(1))
                canvas.Paint(i % Layers, BrushMask.Parse(mask), isLast: i % 20 == 19, painter: "mine");
            Thread.Sleep(50);
        }
    }

    private sealed class NoQueue : IGenerationQueue
    {
        public ValueTask SubmitAsync(GenerationJob job, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;

        public IAsyncEnumerable<GenerationProgress> WatchAsync(Guid jobId, CancellationToken cancellationToken = default) =>
            new GenerationProgress[] { new GenerationProgress.Superseded(jobId) }.ToAsyncEnumerable();

        public ValueTask CancelAsync(Guid jobId, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;
    }

    private sealed class Listener : IPaintClient
    {
        public Task Frame(FrameMessage frame) => Task.CompletedTask;

        public Task Changed(ChangedMessage change) => Task.CompletedTask;

        public Task Status(StatusMessage status) => Task.CompletedTask;

        public Task Rejected(RejectedMessage rejection) => Task.CompletedTask;
    }
}
