using System.Threading.Channels;
using MessagePack;
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

/// <summary>What the hub calls on those who look at a canvas; see docs/hub.md.</summary>
public interface IPaintClient
{
    /// <summary>A picture newer than every one before it.</summary>
    Task Frame(FrameMessage frame);

    /// <summary>The recipe is another one now, whoever changed it.</summary>
    Task Changed(ChangedMessage change);

    /// <summary>How far the newest version is.</summary>
    Task Status(StatusMessage status);

    /// <summary>A version could not be made.</summary>
    Task Rejected(RejectedMessage rejection);
}

/// <param name="Version">Of the recipe it shows.</param>
/// <param name="MediaType">Such as image/jpeg.</param>
/// <param name="Picture">The encoded picture.</param>
/// <param name="Stages">Names of the stages it took.</param>
/// <param name="Milliseconds">How long each took.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record FrameMessage(long Version, string MediaType, byte[] Picture, string[] Stages, double[] Milliseconds);

/// <param name="Version">Of the recipe.</param>
/// <param name="Recipe">Its canonical JSON.</param>
/// <param name="IsStroke">A change on its way, as while a brush moves.</param>
/// <param name="Job">The job that makes its picture: with it and the recipe the picture can be had of any node, see <see cref="PaintHub.Resume"/>.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record ChangedMessage(long Version, string Recipe, bool IsStroke, string Job);

/// <param name="State">"waiting", "running" or "cancelled".</param>
/// <param name="Position">Jobs ahead, while it waits.</param>
/// <param name="ExpectedMilliseconds">Expected wait; null where there is nothing to go by.</param>
/// <param name="Step">Denoising steps done, while it runs.</param>
/// <param name="Steps">Denoising steps in all.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record StatusMessage(long Version, string State, int Position, double? ExpectedMilliseconds, int Step, int Steps);

/// <param name="Message">One sentence for the person who painted.</param>
/// <param name="RetryAfterSeconds">When the canvas tries again on its own, unless something newer comes; null where that would not help.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record RejectedMessage(long Version, string Message, double? RetryAfterSeconds);

/// <param name="Version">Of the recipe as it is now.</param>
/// <param name="RetryAfterSeconds">Where it was too much for now: nothing was changed, and then it can be sent again. Null where it was taken.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record ChangeAnswer(long Version, double? RetryAfterSeconds);

/// <param name="Canvas">Its id: keep it to come back to the canvas, and keep it to yourself.</param>
/// <param name="Version">Of the recipe.</param>
/// <param name="Recipe">Its canonical JSON.</param>
[MessagePackObject(keyAsPropertyName: true)]
public sealed record CanvasState(string Canvas, long Version, string Recipe);

/// <summary>News of a canvas, for everyone who looks at it.</summary>
/// <param name="Version">The version of the recipe it is about.</param>
internal abstract record CanvasUpdate(long Version)
{
    /// <summary>The recipe is another one now, and a job makes its picture.</summary>
    internal sealed record Changed(long Version, Recipe Recipe, bool IsStroke, Guid Job) : CanvasUpdate(Version);

    /// <summary>A picture, newer than every one before it.</summary>
    internal sealed record Frame(long Version, GenerationResult Result, string MediaType) : CanvasUpdate(Version);

    /// <summary>It waits or runs.</summary>
    internal sealed record Status(long Version, GenerationProgress Progress) : CanvasUpdate(Version);

    /// <summary>It could not be made, in one sentence.</summary>
    internal sealed record Rejected(long Version, string Message, TimeSpan? RetryAfter) : CanvasUpdate(Version);
}
