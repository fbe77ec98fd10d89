using System.Collections.Concurrent;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Api;

/// <summary>Small pictures of the atlases' examples. Each is made once.</summary>
internal sealed class ExamplePictures(JobClient jobs)
{
    private const int Side = 120, Quality = 75;
    private const string Client = "examples";
    private readonly ConcurrentDictionary<string, Lazy<Task<byte[]>>> _made = new();

    /// <returns>A JPEG.</returns>
    /// <exception cref="TooManyRequestsException">Too many examples are being made.</exception>
    /// <exception cref="QueueFullException">The queue is full.</exception>
    /// <exception cref="JobFailedException">The picture could not be made.</exception>
    public async Task<byte[]> FindAsync(Recipe recipe)
    {
        var key = recipe.ContentHash();
        var making = _made.GetOrAdd(key, _ => new(() => MakeAsync(recipe)));
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
    private async Task<byte[]> MakeAsync(Recipe recipe)
    {
        var job = new GenerationJob(Guid.NewGuid(), recipe.Check()) { Picture = PictureFormat.Jpeg };
        var result = await jobs.RunAsync(job, Client, CancellationToken.None);
        var picture = Picture.Decode(result.Picture.Span);
        var scale = (double)Side / Math.Max(picture.Width, picture.Height);
        return Jpeg.Encode(PictureScaling.Resize(
            picture, Math.Max(1, (int)(picture.Width * scale)), Math.Max(1, (int)(picture.Height * scale))), Quality);
    }
}
