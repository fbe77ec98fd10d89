using System.Collections.Concurrent;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Api;

/// <summary>Runs one job and waits for its result. If the caller leaves, the job is cancelled.</summary>
internal sealed class JobClient(IGenerationQueue queue, IModelCatalogue catalogue, ClientLimits limits)
{
    /// <param name="job">The job to run.</param>
    /// <param name="client">The client whose limits apply.</param>
    /// <param name="cancellation">Cancels the job.</param>
    /// <param name="onProgress">Called with each report before the last.</param>
    /// <exception cref="RecipeException">The recipe is invalid, does not fit its model, or exceeds a visitor's limits.</exception>
    /// <exception cref="QueueFullException">The queue is full.</exception>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    /// <exception cref="JobFailedException">The picture could not be made.</exception>
    public async Task<GenerationResult> RunAsync(
        GenerationJob job, string client, CancellationToken cancellation, Action<GenerationProgress>? onProgress = null)
    {
        var model = ModelFit.Require(job.Recipe, catalogue);
        job = job with { Client = client, Cost = limits.Admit(client, job.Recipe, model) };
        await queue.SubmitAsync(job, cancellation);
        try
        {
            await foreach (var progress in queue.WatchAsync(job.Id, cancellation))
                switch (progress)
                {
                    case GenerationProgress.Completed done: return done.Result;
                    case GenerationProgress.Failed failed: throw new JobFailedException(failed.Message);
                    case { IsFinal: true }: throw new JobFailedException("The job was cancelled.");
                    default: onProgress?.Invoke(progress); break;
                }
        }
        catch (OperationCanceledException)
        {
            await queue.CancelAsync(job.Id, CancellationToken.None);
            throw;
        }
        throw new JobFailedException("The job ended without a result; try again.");
    }
}

internal sealed class JobFailedException(string message) : Exception(message);

/// <summary>Pictures of examples and of shared recipes, as JPEG. Each is made once; the oldest are forgotten.</summary>
internal sealed class MadePictures(JobClient jobs)
{
    private const int Most = 256;
    private readonly ConcurrentDictionary<string, Lazy<Task<byte[]>>> _made = new();
    private readonly ConcurrentQueue<string> _order = new();

    /// <param name="recipe">The picture's recipe.</param>
    /// <param name="client">The client whose limits apply if the picture must be made.</param>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    /// <exception cref="QueueFullException">The queue is full.</exception>
    /// <exception cref="JobFailedException">The picture could not be made.</exception>
    public async Task<byte[]> FindAsync(Recipe recipe, string client)
    {
        var key = recipe.ContentHash();
        var making = _made.GetOrAdd(key, _ =>
        {
            _order.Enqueue(key);
            return new(() => MakeAsync(recipe, client));
        });
        while (_made.Count > Most && _order.TryDequeue(out var oldest))
            _made.TryRemove(oldest, out var _);
        try
        {
            return await making.Value;
        }
        catch
        {
            _made.TryRemove(KeyValuePair.Create(key, making));
            throw;
        }
    }

    // Not cancelled with the request that asks first: others wait for the same picture.
    private async Task<byte[]> MakeAsync(Recipe recipe, string client)
    {
        var job = new GenerationJob(Guid.NewGuid(), recipe.Check()) { Picture = PictureFormat.Jpeg };
        return (await jobs.RunAsync(job, client, CancellationToken.None)).Picture.ToArray();
    }
}
