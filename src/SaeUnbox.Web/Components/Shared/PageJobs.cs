using SaeUnbox.Web.Api;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Components.Shared;

/// <summary>Runs a page's jobs and holds what the page shows of them: progress, status and error. New work replaces running work.</summary>
/// <param name="jobs">Runs each job.</param>
/// <param name="visitor">The client whose limits apply.</param>
/// <param name="changed">Called when the page must be drawn.</param>
internal sealed class PageJobs(JobClient jobs, Visitor visitor, Action changed) : IDisposable
{
    private CancellationTokenSource _stop = new();

    /// <summary>Runs one job of the work.</summary>
    public delegate Task<GenerationResult> Run(GenerationJob job);

    public bool IsBusy { get; private set; }

    /// <summary>The finished share of the running job, 0 to 1; null if unknown.</summary>
    public double? Done { get; private set; }

    /// <summary>A sentence while the job waits or after it was stopped.</summary>
    public string? Status { get; private set; }

    /// <summary>Why the work failed, in one sentence.</summary>
    public string? Error { get; private set; }

    public static string WaitingText(GenerationProgress.Waiting waiting) => waiting.Expected is { } wait
        ? FormattableString.Invariant($"Waiting: {waiting.Position} ahead, about {Math.Max(1, wait.TotalSeconds):0} s.")
        : FormattableString.Invariant($"Waiting: {waiting.Position} ahead.");

    /// <summary>Does work that runs jobs. Their errors end the work and become <see cref="Error"/>.</summary>
    public async Task RunAsync(Func<Run, Task> work)
    {
        await _stop.CancelAsync();
        var mine = _stop = new();
        Show(isBusy: true);
        changed();
        string? error = null;
        try
        {
            await work(job => jobs.RunAsync(job, visitor.Key, mine.Token, Follow));
        }
        catch (OperationCanceledException) when (mine.IsCancellationRequested)
        {
            // Stopped or replaced, or the visitor left the page.
        }
        catch (Exception exception) when (
            exception is RecipeException or TooManyRequestsException or QueueFullException or JobFailedException)
        {
            error = exception.Message;
        }
        if (mine != _stop)
            return;
        Show(isBusy: false, mine.IsCancellationRequested ? "Stopped." : null, error);
        changed();
    }

    /// <summary>
    /// Makes pictures, one job at a time, so that other visitors do not wait longer, and each shows as soon as it is done.
    /// </summary>
    /// <param name="show">Receives a recipe's place among them, and its picture as the address of an image.</param>
    public Task MakeEachAsync(IReadOnlyList<Recipe> recipes, Action<int, string> show) => RunAsync(async run =>
    {
        foreach (var (place, recipe) in recipes.Index())
        {
            var result = await run(new GenerationJob(Guid.NewGuid(), recipe.Check()) { Picture = PictureFormat.Jpeg });
            show(place, $"data:image/jpeg;base64,{Convert.ToBase64String(result.Picture.Span)}");
            changed();
        }
    });

    public void Stop() => _stop.Cancel();

    /// <summary>Stops the work without a message.</summary>
    public void Reset()
    {
        _stop.Cancel();
        _stop = new();
        Show(isBusy: false);
    }

    public void Dispose() => Reset();

    private void Show(bool isBusy, string? status = null, string? error = null) =>
        (IsBusy, Done, Status, Error) = (isBusy, null, status, error);

    private void Follow(GenerationProgress progress)
    {
        Done = progress is GenerationProgress.Running { Steps: > 1 } running ? (double)running.Step / running.Steps : null;
        Status = progress is GenerationProgress.Waiting { Position: > 0 } waiting ? WaitingText(waiting) : null;
        changed();
    }
}
