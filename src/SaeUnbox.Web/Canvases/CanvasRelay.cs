using System.Threading.Channels;
using Microsoft.AspNetCore.SignalR;

namespace SaeUnbox.Web.Canvases;

/// <summary>
/// Sends a canvas's updates to a hub connection. A slow connection skips pictures: it gets the newest one, not a backlog.
/// </summary>
internal sealed class CanvasRelay(IHubContext<PaintHub, IPaintClient> hub)
{
    public Watcher Watch(CanvasSession session, string connection) => new(session, hub.Clients.Client(connection), connection);

    internal sealed class Watcher : IDisposable
    {
        private readonly IPaintClient _client;
        private readonly string _connection;
        private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
        private readonly Lock _lock = new();
        private CanvasUpdate.Changed? _change;
        private CanvasUpdate.Frame? _frame;
        private CanvasUpdate? _state;

        public Watcher(CanvasSession session, IPaintClient client, string connection)
        {
            (Session, _client, _connection) = (session, client, connection);
            _frame = session.NewestFrame;
            session.Updated += Keep;
            session.AddViewer();
            _signal.Writer.TryWrite(true);
            _ = SendAsync();
        }

        public CanvasSession Session { get; }

        public void Dispose()
        {
            Session.Updated -= Keep;
            _signal.Writer.TryComplete();
            Session.RemoveViewer();
        }

        private void Keep(CanvasUpdate update)
        {
            // The painter has its own stroke, and the answer to its call.
            if (update is CanvasUpdate.Changed { IsStroke: true } stroke && stroke.Painter == _connection)
                return;
            lock (_lock)
            {
                switch (update)
                {
                    case CanvasUpdate.Frame frame: _frame = frame; break;
                    case CanvasUpdate.Changed change: _change = change; break;
                    default: _state = update; break;
                }
            }
            _signal.Writer.TryWrite(true);
        }

        private async Task SendAsync()
        {
            await foreach (var _ in _signal.Reader.ReadAllAsync())
            {
                CanvasUpdate.Changed? change;
                CanvasUpdate? state;
                CanvasUpdate.Frame? frame;
                lock (_lock)
                {
                    (change, state, frame) = (_change, _state, _frame);
                    (_change, _state, _frame) = (null, null, null);
                }
                if (change is not null)
                    await _client.Changed(new(change.Version, change.Recipe.ToJson(), change.IsStroke, change.Job.ToString()));
                if (state is not null)
                    await SendAsync(state);
                if (frame is not null)
                    await _client.Frame(new(frame.Version, frame.MediaType, frame.Result.Picture.ToArray(),
                        [.. frame.Result.Timings.Select(stage => stage.Stage)],
                        [.. frame.Result.Timings.Select(stage => stage.Duration.TotalMilliseconds)]));
            }
        }

        private Task SendAsync(CanvasUpdate update) => update switch
        {
            CanvasUpdate.Rejected rejected => _client.Rejected(new(rejected.Version, rejected.Message, rejected.RetryAfter?.TotalSeconds)),
            CanvasUpdate.Status { Progress: GenerationProgress.Waiting waiting } =>
                _client.Status(new(update.Version, "waiting", waiting.Position, waiting.Expected?.TotalMilliseconds, 0, 0)),
            CanvasUpdate.Status { Progress: GenerationProgress.Running running } =>
                _client.Status(new(update.Version, "running", 0, null, running.Step, running.Steps)),
            CanvasUpdate.Status { Progress: GenerationProgress.Cancelled } =>
                _client.Status(new(update.Version, "cancelled", 0, null, 0, 0)),
            _ => Task.CompletedTask,
        };
    }
}

/// <summary>What happens on a canvas, for the page and the hub.</summary>
/// <param name="Version">The version of the recipe that the update is about.</param>
internal abstract record CanvasUpdate(long Version)
{
    /// <summary>The recipe changed, and the job makes its picture.</summary>
    /// <param name="Painter">The connection whose stroke it is; null for other changes.</param>
    internal sealed record Changed(long Version, CheckedRecipe Recipe, bool IsStroke, Guid Job, string? Painter = null)
        : CanvasUpdate(Version);

    /// <summary>A picture, newer than all before it.</summary>
    internal sealed record Frame(long Version, GenerationResult Result, string MediaType) : CanvasUpdate(Version);

    /// <summary>The job waits, runs or was cancelled.</summary>
    internal sealed record Status(long Version, GenerationProgress Progress) : CanvasUpdate(Version);

    /// <summary>The picture could not be made. The message is one sentence.</summary>
    internal sealed record Rejected(long Version, string Message, TimeSpan? RetryAfter) : CanvasUpdate(Version);
}
