namespace SaeUnbox.Serving;

/// <summary>A device of this process, for workers: each job goes through this process's own queue to that device's thread.</summary>
internal sealed class DeviceExecutor(ModelHost host, InProcessQueue queue) : IJobExecutor
{
    public string Device => host.Device;

    public string? Failure => host.Failure;

    public async Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default)
    {
        await host.Loaded.WaitAsync(cancellationToken).ConfigureAwait(false);
        return host.State == HostState.Ready ? [.. host.Models.Select(model => model.Info)] : [];
    }

    public async Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report, CancellationToken cancellationToken = default)
    {
        // A worker may get a job again; each try is a job of its own here.
        var attempt = job with { Id = Guid.NewGuid() };
        try
        {
            await queue.SubmitAsync(attempt, host.Device, cancellationToken).ConfigureAwait(false);
        }
        catch (RecipeException exception)
        {
            return new GenerationProgress.Failed(job.Id, exception.Message);
        }
        using var cancelling = cancellationToken.Register(() => queue.CancelAsync(attempt.Id, CancellationToken.None).AsTask());
        await foreach (var progress in queue.WatchAsync(attempt.Id, CancellationToken.None).ConfigureAwait(false))
            switch (progress)
            {
                case GenerationProgress.Running running:
                    report(new(job.Id, running.Step, running.Steps));
                    break;
                case GenerationProgress.Completed { Result: var result }:
                    // How long it waited is told by who sent it.
                    return new GenerationProgress.Completed(result with { JobId = job.Id, Timings = [.. result.Timings.Where(stage => stage.Stage != StageTiming.Wait)] });
                case GenerationProgress.Failed failed:
                    return queue.FaultOf(attempt.Id) is { } fault ? throw new InvalidOperationException(fault.Message, fault) : new GenerationProgress.Failed(job.Id, failed.Message);
                case { IsFinal: true }:
                    return new GenerationProgress.Cancelled(job.Id);
            }
        throw new InvalidOperationException("the job ended without a word");
    }
}
