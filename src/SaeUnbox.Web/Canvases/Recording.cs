using SaeUnbox.Web.Api;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Canvases;

/// <summary>
/// The pictures of a painting from its first stroke on, evenly spread: when there are too many, every second one is dropped. It starts
/// again when the picture below the strokes changes. Safe for several threads.
/// </summary>
internal sealed class Recording
{
    public const int MostFrames = 24, LargestFrame = 256 << 10;

    private readonly Lock _lock = new();
    private List<ReadOnlyMemory<byte>> _frames = [];
    private Recipe? _unpainted;
    private ReadOnlyMemory<byte> _newest;
    private int _seen, _every = 1;

    /// <summary>The pictures as JPEG, the newest last.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>> Frames
    {
        get
        {
            lock (_lock)
                return _frames.Count == 0 || _frames[^1].Equals(_newest) ? [.. _frames] : [.. _frames, _newest];
        }
    }

    /// <param name="recipe">The picture's recipe.</param>
    /// <param name="picture">The picture as JPEG. A very large one is left out.</param>
    public void Add(Recipe recipe, ReadOnlyMemory<byte> picture)
    {
        if (picture.Length > LargestFrame)
            return;
        var unpainted = recipe.Unpainted();
        lock (_lock)
        {
            if (unpainted != _unpainted)
                (_unpainted, _frames, _seen, _every) = (unpainted, [], 0, 1);
            _newest = picture;
            if (_seen++ % _every != 0)
                return;
            _frames.Add(_newest);
            if (_frames.Count > MostFrames)
                (_frames, _every) = ([.. _frames.Where((_, i) => i % 2 == 0)], 2 * _every);
        }
    }
}

/// <summary>The recording of a canvas as a file.</summary>
internal static class RecordingFile
{
    private const int LargestSide = 384;
    private const double FrameSeconds = .12, LastFrameSeconds = 1.6;

    // Making an animation takes about as long as this many pictures of a small model.
    private const double Cost = 8;

    /// <summary>GET canvases/ID/painting.gif: how the picture on a canvas was painted.</summary>
    public static void MapRecordings(this WebApplication app) =>
        app.MapGet("/canvases/{id}/painting.gif", Get).AddEndpointFilter(ApiProblems.Filter).ExcludeFromDescription();

    private static IResult Get(string id, CanvasRegistry canvases, ClientLimits limits, HttpContext context)
    {
        if (canvases.Find(id) is not { } canvas || canvas.Recording.Frames is not { Count: > 1 } frames)
            return TypedResults.NotFound();
        limits.Admit(ClientKey.Of(context), Cost);
        var pictures = frames.Select(frame => Picture.Decode(frame.Span)).ToArray();
        var last = pictures[^1];
        var scale = Math.Min(1, (double)LargestSide / Math.Max(last.Width, last.Height));
        var (width, height) = ((int)(last.Width * scale), (int)(last.Height * scale));
        Picture[] small = [.. pictures.Select(picture => PictureScaling.Resize(picture, 0, 0, picture.Width, picture.Height, width,
            height))];
        context.Response.Headers.CacheControl = "no-store";
        return TypedResults.Bytes(Animation.Encode(small, FrameSeconds, LastFrameSeconds), "image/gif");
    }
}
