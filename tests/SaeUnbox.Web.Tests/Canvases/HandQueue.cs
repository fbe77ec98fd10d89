using System.Collections.Concurrent;
using System.Threading.Channels;

namespace SaeUnbox.Web.Tests.Canvases;

/// <summary>A queue whose jobs end when the test says so, or when they are cancelled.</summary>
internal sealed class HandQueue : IGenerationQueue
{
    private readonly ConcurrentDictionary<Guid, Channel<GenerationProgress>> _reports = [];

    /// <summary>The submitted jobs, in order.</summary>
    public List<GenerationJob> Jobs { get; } = [];

    public List<Guid> Cancelled { get; } = [];

    /// <summary>Thrown for the next job.</summary>
    public Exception? Refusal { get; set; }

    public void Report(GenerationProgress progress)
    {
        var channel = _reports[progress.JobId];
        channel.Writer.TryWrite(progress);
        if (progress.IsFinal)
            channel.Writer.TryComplete();
    }

    public void Complete(GenerationJob job) =>
        Report(new GenerationProgress.Completed(new GenerationResult(job.Id, job.Recipe, new byte[] { 1 }, new ActivationMaps([]), [])));

    public ValueTask SubmitAsync(GenerationJob job, CancellationToken cancellationToken = default)
    {
        if (Refusal is { } refusal)
        {
            Refusal = null;
            throw refusal;
        }
        Jobs.Add(job);
        _reports.TryAdd(job.Id, Channel.CreateUnbounded<GenerationProgress>(new() { AllowSynchronousContinuations = true }));
        return ValueTask.CompletedTask;
    }

    public IAsyncEnumerable<GenerationProgress> WatchAsync(Guid jobId,
        CancellationToken cancellationToken = default) => _reports[jobId].Reader.ReadAllAsync(cancellationToken);

    public ValueTask CancelAsync(Guid jobId, CancellationToken cancellationToken = default)
    {
        Cancelled.Add(jobId);
        Report(new GenerationProgress.Cancelled(jobId));
        return ValueTask.CompletedTask;
    }
}
