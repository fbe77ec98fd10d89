using Microsoft.Extensions.Logging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Sends the reports on one delivered job to the nodes that submitted it.</summary>
internal sealed partial class ReplySender(
    string worker, IChannel channel, ReplyCache cache, TimeProvider clock, BrokerSession session, ILogger logger)
{
    private static readonly TimeSpan BetweenReports = TimeSpan.FromMilliseconds(100);
    private readonly List<Task> _sent = [];
    private long _reportedAt;

    /// <summary>
    /// Reports that a job runs, but only if it takes longer than the report interval. Disposing the timer cancels the report.
    /// </summary>
    public ITimer ReportIfSlow(JobMessage job)
    {
        var start = _reportedAt = clock.GetTimestamp();
        return clock.CreateTimer(_ =>
        {
            if (_reportedAt == start)
                SendProgress(job, new(job.Job, 0, job.Recipe.Steps));
        }, null, BetweenReports, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Reports progress, at most once per interval. The report may get lost.</summary>
    public void Report(JobMessage job, GenerationProgress.Running progress)
    {
        if (clock.GetElapsedTime(_reportedAt) < BetweenReports)
            return;
        _reportedAt = clock.GetTimestamp();
        SendProgress(job, progress);
    }

    public void Superseded(JobMessage job, JobMessage by) =>
        Send(job, new Reply(new GenerationProgress.Superseded(job.Job), worker, by.Job).ToBytes());

    public void Final(JobMessage job, GenerationProgress progress)
    {
        var reply = new Reply(progress, worker).ToBytes();
        cache.Add(job.Job, reply);
        Send(job, reply);
    }

    public void Resend(JobMessage job, byte[] reply) => Send(job, reply);

    /// <summary>Completes when the broker has confirmed all final replies.</summary>
    public Task ConfirmedAsync() => Task.WhenAll(_sent);

    private void SendProgress(JobMessage job, GenerationProgress.Running progress) =>
        channel.PublishTransientAsync("", job.ReplyTo, new Reply(progress, worker).ToBytes(), session.Lost).Forget();

    private void Send(JobMessage job, byte[] reply) => _sent.Add(SendAsync(job, reply));

    private async Task SendAsync(JobMessage job, byte[] reply)
    {
        try
        {
            await channel.PublishAsync("", job.ReplyTo, reply, session.Lost);
        }
        catch (PublishException exception) when (exception.IsReturn)
        {
            Log.NoReplyQueue(logger, job.Job, job.ReplyTo);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(45, LogLevel.Warning, "The reply to job {Job} is dropped: the queue {Queue} does not exist")]
        public static partial void NoReplyQueue(ILogger logger, Guid job, string queue);
    }
}

/// <summary>
/// The most recent final replies. The broker redelivers a job whose acknowledgement got lost; the worker then sends its reply again instead
/// of running the job twice. Thread-safe.
/// </summary>
internal sealed class ReplyCache
{
    private const long MaxBytes = 64L << 20;
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, byte[]> _replies = [];
    private readonly Queue<Guid> _age = [];
    private long _bytes;

    public void Add(Guid job, byte[] reply)
    {
        lock (_lock)
        {
            if (!_replies.TryAdd(job, reply))
                return;
            _age.Enqueue(job);
            _bytes += reply.Length;
            while (_bytes > MaxBytes && _replies.Remove(_age.Dequeue(), out var oldest))
                _bytes -= oldest.Length;
        }
    }

    public byte[]? Find(Guid job)
    {
        lock (_lock)
            return _replies.GetValueOrDefault(job);
    }
}
