using System.Threading.Channels;
using Microsoft.AspNetCore.SignalR;

namespace SaeUnbox.Web.Canvases;

/// <summary>Brings a canvas's news to a connection. A slow one skips pictures: it gets the newest, never a queue of old ones.</summary>
internal sealed class CanvasRelay(IHubContext<PaintHub, IPaintClient> hub)
{
    public Watcher Watch(CanvasSession session, string connection) => new(session, hub.Clients.Client(connection));

    internal sealed class Watcher : IDisposable
    {
        private readonly IPaintClient _client;
        private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });
        private readonly Lock _lock = new();
        private CanvasUpdate.Changed? _change;
        private CanvasUpdate.Frame? _frame;
        private CanvasUpdate? _state;

        public Watcher(CanvasSession session, IPaintClient client)
        {
            (Session, _client) = (session, client);
            _frame = session.Newest;
            session.Updated += Keep;
            session.Join();
            _signal.Writer.TryWrite(true);
            _ = SendAsync();
        }

        public CanvasSession Session { get; }

        public void Dispose()
        {
            Session.Updated -= Keep;
            _signal.Writer.TryComplete();
            Session.Leave();
        }

        private void Keep(CanvasUpdate update)
        {
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
                (CanvasUpdate.Changed?, CanvasUpdate?, CanvasUpdate.Frame?) news;
                lock (_lock)
                {
                    news = (_change, _state, _frame);
                    (_change, _state, _frame) = (null, null, null);
                }
                if (news.Item1 is { } change)
                    await _client.Changed(new(change.Version, change.Recipe.ToJson(), change.IsStroke, change.Job.ToString()));
                if (news.Item2 is { } state)
                    await TellAsync(state);
                if (news.Item3 is { Result: var result } frame)
                    await _client.Frame(new(frame.Version, frame.MediaType, result.Picture.ToArray(),
                        [.. result.Timings.Select(stage => stage.Stage)], [.. result.Timings.Select(stage => stage.Duration.TotalMilliseconds)]));
            }
        }

        private Task TellAsync(CanvasUpdate update) => update switch
        {
            CanvasUpdate.Rejected no => _client.Rejected(new(no.Version, no.Message, no.RetryAfter?.TotalSeconds)),
            CanvasUpdate.Status { Progress: GenerationProgress.Waiting waiting } => _client.Status(new(update.Version, "waiting", waiting.Position, waiting.Expected?.TotalMilliseconds, 0, 0)),
            CanvasUpdate.Status { Progress: GenerationProgress.Running running } => _client.Status(new(update.Version, "running", 0, null, running.Step, running.Steps)),
            CanvasUpdate.Status { Progress: GenerationProgress.Cancelled } => _client.Status(new(update.Version, "cancelled", 0, null, 0, 0)),
            _ => Task.CompletedTask,
        };
    }
}
