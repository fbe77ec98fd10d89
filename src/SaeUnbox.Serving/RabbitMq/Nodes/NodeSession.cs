using RabbitMQ.Client;

namespace SaeUnbox.Serving.RabbitMq;

/// <summary>What a web node can do while it is connected.</summary>
internal sealed class NodeSession(BrokerSession session, IChannel publisher, IChannel teller, Topology topology)
{
    private readonly HashSet<string> _declared = [];
    private readonly SemaphoreSlim _declaring = new(1);

    public CancellationToken Lost => session.Lost;

    /// <summary>Hands a job to a queue; ends when the broker has it safe.</summary>
    /// <exception cref="TimeoutException">The broker said nothing for so long; it may have it or not.</exception>
    public Task PublishAsync(string queue, ReadOnlyMemory<byte> message, string? traceParent, TimeSpan patience) =>
        publisher.PublishAsync("", queue, message, Lost, TraceHeader.Of(traceParent)).AsTask().WaitAsync(patience);

    public async Task DeclareModelAsync(string model)
    {
        await _declaring.WaitAsync(Lost).ConfigureAwait(false);
        try
        {
            if (_declared.Add(model))
                await topology.DeclareModelAsync(teller, model, Lost).ConfigureAwait(false);
        }
        finally
        {
            _declaring.Release();
        }
    }

    /// <summary>Tells all workers; it may be lost.</summary>
    public void Tell(ControlMessage message) => teller.TellAsync(topology.Control, "", Wire.Write(message), Lost, TraceHeader.Of(message.Newer?.TraceParent)).Forget();

    /// <summary>Jobs that wait in a queue.</summary>
    public async Task<int> CountAsync(string queue) => (int)await teller.MessageCountAsync(queue, Lost).ConfigureAwait(false);
}
