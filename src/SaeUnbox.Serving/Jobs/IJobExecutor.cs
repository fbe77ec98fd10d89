namespace SaeUnbox.Serving;

/// <summary>A device with its models, which does one job at a time. It knows of no queue.</summary>
public interface IJobExecutor
{
    /// <summary>Such as cpu or cuda:0.</summary>
    string Device { get; }

    /// <summary>Why it can do no more jobs, in one sentence; null while it can.</summary>
    string? Failure => null;

    /// <summary>The models it holds; ends once they are loaded, and with none where they could not be.</summary>
    Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default);

    /// <summary>Does a job.</summary>
    /// <param name="job">What to do; its model is one of the device's.</param>
    /// <param name="report">Told of every step, on any thread.</param>
    /// <param name="cancellationToken">Ends it between two stages.</param>
    /// <returns>The final report. An exception says that the device, not the job, is at fault: another may do better.</returns>
    Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report, CancellationToken cancellationToken = default);
}
