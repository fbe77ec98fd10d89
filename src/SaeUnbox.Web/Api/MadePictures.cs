using System.Collections.Concurrent;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Api;

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
