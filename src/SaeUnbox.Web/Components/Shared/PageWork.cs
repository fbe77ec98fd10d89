using SaeUnbox.Web.Api;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Components.Shared;

/// <summary>
/// What a page waits for: how far it is, what went wrong, and how to stop it. Newer work takes the place of what is under way.
/// </summary>
/// <param name="jobs">Runs it.</param>
/// <param name="visitor">Whom limits count for.</param>
/// <param name="changed">Draws the page anew.</param>
internal sealed class PageWork(JobClient jobs, Visitor visitor, Action changed) : IDisposable
{
    private CancellationTokenSource _stop = new();

    /// <summary>Runs a job within the work.</summary>
    public delegate Task<GenerationResult> Run(GenerationJob job);

    public bool IsBusy { get; private set; }

    /// <summary>Share of the job's steps that are done, where it has several.</summary>
    public double? Done { get; private set; }

    /// <summary>In a sentence, where it waits or was stopped.</summary>
    public string? Status { get; private set; }

    /// <summary>Why it could not be done, in a sentence.</summary>
    public string? Problem { get; private set; }

    public static string Text(GenerationProgress.Waiting waiting) => waiting.Expected is { } wait
        ? FormattableString.Invariant($"Waiting: {waiting.Position} ahead, about {Math.Max(1, wait.TotalSeconds):0} s.")
        : FormattableString.Invariant($"Waiting: {waiting.Position} ahead.");

    /// <summary>Does work, and tells what goes wrong with its jobs.</summary>
    public async Task RunAsync(Func<Run, Task> work)
    {
        await _stop.CancelAsync();
        var mine = _stop = new();
        (IsBusy, Done, Status, Problem) = (true, null, null, null);
        changed();
        string? problem = null;
        try
        {
            await work(job => jobs.RunAsync(job, visitor.Key, mine.Token, Follow));
        }
        catch (OperationCanceledException) when (mine.IsCancellationRequested)
        {
            // Stopped, overtaken, or the page was left.
        }
        catch (Exception exception) when (exception is RecipeException or TooManyRequestsException or QueueFullException or JobFailedException)
        {
            problem = exception.Message;
        }
        if (mine != _stop)
            return;
        (IsBusy, Done, Status, Problem) = (false, null, mine.IsCancellationRequested ? "Stopped." : null, problem);
        changed();
    }

    public void Stop() => _stop.Cancel();

    /// <summary>Stops it, and nothing more is said of it.</summary>
    public void Forget()
    {
        _stop.Cancel();
        _stop = new();
        (IsBusy, Done, Status, Problem) = (false, null, null, null);
    }

    public void Dispose() => Forget();

    private void Follow(GenerationProgress progress)
    {
        Done = progress is GenerationProgress.Running { Steps: > 1 } running ? (double)running.Step / running.Steps : null;
        Status = progress is GenerationProgress.Waiting { Position: > 0 } waiting ? Text(waiting) : null;
        changed();
    }
}
