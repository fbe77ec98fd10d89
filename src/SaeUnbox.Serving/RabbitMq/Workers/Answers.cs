using Microsoft.Extensions.Logging;
using RabbitMQ.Client.Exceptions;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>Sends the reports on one delivery to those who asked.</summary>
internal sealed partial class Answers(string worker, IChannel channel, RecentAnswers recent, TimeProvider clock, BrokerSession session, ILogger logger)
{
    private static readonly TimeSpan BetweenReports = TimeSpan.FromMilliseconds(100);
    private readonly List<Task> _sent = [];
    private long _reportedAt;

    /// <summary>A job begins: to be told of where it takes longer than an edit of a picture, unless what this gives is disposed before.</summary>
    public ITimer ReportSoon(JobMessage job)
    {
        var start = _reportedAt = clock.GetTimestamp();
        return clock.CreateTimer(_ =>
        {
            if (_reportedAt == start)
                Tell(job, new(job.Job, 0, job.Recipe.Steps));
        }, null, BetweenReports, Timeout.InfiniteTimeSpan);
    }

    /// <summary>A report on the way; it may be lost, and of many in a short time the later ones are left out.</summary>
    public void Report(JobMessage job, GenerationProgress.Running progress)
    {
        if (clock.GetElapsedTime(_reportedAt) < BetweenReports)
            return;
        _reportedAt = clock.GetTimestamp();
        Tell(job, progress);
    }

    public void Superseded(JobMessage job, JobMessage by) => Send(job, new Reply(new GenerationProgress.Superseded(job.Job), worker, by.Job).ToBytes());

    public void Last(JobMessage job, GenerationProgress progress)
    {
        var answer = new Reply(progress, worker).ToBytes();
        recent.Add(job.Job, answer);
        Send(job, answer);
    }

    /// <summary>The answer as it was given before.</summary>
    public void Again(JobMessage job, byte[] answer) => Send(job, answer);

    /// <summary>Ends when the broker has all that was sent.</summary>
    public Task ConfirmedAsync() => Task.WhenAll(_sent);

    private void Tell(JobMessage job, GenerationProgress.Running progress) => channel.TellAsync("", job.ReplyTo, new Reply(progress, worker).ToBytes(), session.Lost).Forget();

    private void Send(JobMessage job, byte[] answer) => _sent.Add(SendAsync(job, answer));

    private async Task SendAsync(JobMessage job, byte[] answer)
    {
        try
        {
            await channel.PublishAsync("", job.ReplyTo, answer, session.Lost);
        }
        catch (PublishException exception) when (exception.IsReturn)
        {
            Log.NobodyWaits(logger, job.Job, job.ReplyTo);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(45, LogLevel.Warning, "Nobody waits for job {Job} any more: there is no queue {Queue}")]
        public static partial void NobodyWaits(ILogger logger, Guid job, string queue);
    }
}

/// <summary>The answers given last. A job whose answer the broker has, but not its receipt, comes again; it is not done again.</summary>
internal sealed class RecentAnswers(long mostBytes = 64L << 20)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<Guid, byte[]> _answers = [];
    private readonly Queue<Guid> _age = [];
    private long _bytes;

    public void Add(Guid job, byte[] answer)
    {
        lock (_lock)
        {
            if (!_answers.TryAdd(job, answer))
                return;
            _age.Enqueue(job);
            _bytes += answer.Length;
            while (_bytes > mostBytes && _answers.Remove(_age.Dequeue(), out var oldest))
                _bytes -= oldest.Length;
        }
    }

    public byte[]? Find(Guid job)
    {
        lock (_lock)
            return _answers.GetValueOrDefault(job);
    }
}
