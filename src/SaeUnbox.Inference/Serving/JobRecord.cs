using System.Threading.Channels;
using SaeUnbox.Contracts;

namespace SaeUnbox.Inference;

/// <summary>A job that was accepted: its newest report, those who watch it, and the means to cancel it.</summary>
internal sealed class JobRecord(GenerationJob job, long accepted)
{
    private readonly Lock _lock = new();
    private readonly List<Channel<GenerationProgress>> _watchers = [];
    private GenerationProgress _newest = new GenerationProgress.Waiting(job.Id, 0, null);

    public GenerationJob Job => job;

    /// <summary>Time stamp of its acceptance.</summary>
    public long Accepted => accepted;

    /// <summary>Time stamp of its start.</summary>
    public long Started { get; set; }

    public CancellationTokenSource Cancellation { get; } = new();

    public bool HasEnded
    {
        get
        {
            lock (_lock)
                return _newest.IsFinal;
        }
    }

    /// <summary>Bytes its result holds.</summary>
    public int ResultBytes
    {
        get
        {
            lock (_lock)
                return _newest is GenerationProgress.Completed done ? done.Result.Picture.Length + done.Result.Maps.All.Sum(map => map.Values.Length * 8) : 0;
        }
    }

    /// <summary>Tells all who watch; what comes behind a final report is dropped.</summary>
    public void Report(GenerationProgress progress)
    {
        lock (_lock)
        {
            if (_newest.IsFinal)
                return;
            _newest = progress;
            foreach (var watcher in _watchers)
            {
                watcher.Writer.TryWrite(progress);
                if (progress.IsFinal)
                    watcher.Writer.TryComplete();
            }
            if (progress.IsFinal)
                _watchers.Clear();
        }
    }

    /// <summary>The newest report, then every one that follows; a slow reader skips to the newest.</summary>
    public async IAsyncEnumerable<GenerationProgress> WatchAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        var channel = Channel.CreateBounded<GenerationProgress>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        lock (_lock)
        {
            channel.Writer.TryWrite(_newest);
            if (_newest.IsFinal)
                channel.Writer.TryComplete();
            else
                _watchers.Add(channel);
        }
        try
        {
            await foreach (var progress in channel.Reader.ReadAllAsync(cancellation).ConfigureAwait(false))
                yield return progress;
        }
        finally
        {
            lock (_lock)
                _watchers.Remove(channel);
        }
    }
}
