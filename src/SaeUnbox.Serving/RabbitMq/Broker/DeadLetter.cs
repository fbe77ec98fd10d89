using System.Text;
using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>A job that nobody could do.</summary>
/// <param name="Body">Its message.</param>
/// <param name="Reason">Why, in a few words.</param>
internal sealed record DeadLetter(byte[] Body, string Reason)
{
    public const string ReasonHeader = "x-reason", WorkerHeader = "x-worker";

    // Why the broker itself let it die, the latest first.
    private const string Deaths = "x-death";

    public static DeadLetter Of(ReadOnlyMemory<byte> body, IReadOnlyBasicProperties properties) => new(body.ToArray(), ReasonOf(properties.Headers));

    /// <summary>The report for those who asked; null where the message does not tell who that is.</summary>
    public (string ReplyTo, Reply Reply)? ToReply() =>
        TryReadJob() is { } job ? (job.ReplyTo, new Reply(new GenerationProgress.Failed(job.Job, $"The picture could not be made: {Reason}."), "")) : null;

    public DeadJob ToDeadJob() => TryReadJob() is { } job ? new(job.Job, job.Recipe.Model, Reason) : new(null, null, Reason);

    /// <summary>The job; null where the message is none.</summary>
    public JobMessage? TryReadJob()
    {
        try
        {
            return Wire.Read<JobMessage>(Body);
        }
        catch (MessageException)
        {
            return null;
        }
    }

    private static string ReasonOf(IDictionary<string, object?>? headers)
    {
        if (headers?.TryGetValue(ReasonHeader, out var given) == true && given is byte[] text)
            return Encoding.UTF8.GetString(text);
        var death = headers?.TryGetValue(Deaths, out var deaths) == true ? (deaths as IList<object>)?.OfType<IDictionary<string, object?>>().FirstOrDefault() : null;
        return death?["reason"] is byte[] reason ? Encoding.UTF8.GetString(reason) switch
        {
            "delivery_limit" => $"{Topology.Tries} workers were lost while they did it",
            "expired" => "no worker took it in time",
            var other => other,
        } : "no reason was given";
    }
}
