namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Why a job ended before its end.</summary>
internal enum Ending
{
    None,
    Superseded,
    Cancelled,
}

/// <summary>A device broke under a job.</summary>
internal sealed class DeviceException(JobMessage job, Exception inner) : Exception(inner.Message, inner)
{
    public JobMessage Job => job;
}

/// <summary>The job in hand, and the means to end it.</summary>
internal sealed class RunningJob(JobMessage job, bool canBeSuperseded, CancellationToken abort) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly CancellationTokenSource _cancellation = CancellationTokenSource.CreateLinkedTokenSource(abort);
    private bool _isDisposed;

    public JobMessage Job => job;

    public bool CanBeSuperseded => canBeSuperseded;

    public CancellationToken Token => _cancellation.Token;

    /// <summary>None where it came to its own end, or was ended by the worker's stop.</summary>
    public Ending Ending { get; private set; }

    /// <summary>Ends it between two stages; nothing happens where it has ended.</summary>
    public void End(Ending ending)
    {
        lock (_lock)
        {
            if (_isDisposed || Ending != Ending.None)
                return;
            Ending = ending;
            _cancellation.Cancel();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _cancellation.Dispose();
        }
    }
}
