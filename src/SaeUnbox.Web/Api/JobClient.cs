using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Api;

/// <summary>Runs one job and waits for it; a caller that goes away cancels it.</summary>
internal sealed class JobClient(IGenerationQueue queue, ClientLimits limits)
{
    /// <param name="job">What to run.</param>
    /// <param name="client">Whom limits count for.</param>
    /// <param name="cancellation">The caller is gone.</param>
    /// <param name="follow">Hears how far it is.</param>
    /// <exception cref="RecipeException">The recipe is not valid, or does not fit its model.</exception>
    /// <exception cref="QueueFullException">There is no room for it now.</exception>
    /// <exception cref="TooManyRequestsException">The client asks for too much.</exception>
    /// <exception cref="JobFailedException">It could not be made.</exception>
    public async Task<GenerationResult> RunAsync(GenerationJob job, string client, CancellationToken cancellation, Action<GenerationProgress>? follow = null)
    {
        limits.Admit(client, job.Recipe);
        job = job with { Client = client };
        await queue.SubmitAsync(job, cancellation);
        try
        {
            await foreach (var progress in queue.WatchAsync(job.Id, cancellation))
                switch (progress)
                {
                    case GenerationProgress.Completed done: return done.Result;
                    case GenerationProgress.Failed failed: throw new JobFailedException(failed.Message);
                    case { IsFinal: true }: throw new JobFailedException("The job was cancelled.");
                    default: follow?.Invoke(progress); break;
                }
        }
        catch (OperationCanceledException)
        {
            await queue.CancelAsync(job.Id, CancellationToken.None);
            throw;
        }
        throw new JobFailedException("The job ended without a word.");
    }
}

internal sealed class JobFailedException(string message) : Exception(message);
