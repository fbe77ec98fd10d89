using System.Globalization;
using System.Text.Json.Nodes;
using SaeUnbox.Cli.Output;

namespace SaeUnbox.Cli.Serving;

/// <summary><c>bench --serving</c>: the queue within this process, and beside it the same work over a broker.</summary>
/// <param name="settings">Of the model, as the page's program takes them.</param>
/// <param name="canvases">Canvases at once, one run for each.</param>
/// <param name="time">Of each run.</param>
/// <param name="broker">The broker's address; null for none.</param>
/// <param name="json">Print the figures as JSON.</param>
internal sealed class ServingComparison(IReadOnlyDictionary<string, string?> settings, IReadOnlyList<int> canvases, TimeSpan time, string? broker, bool json)
{
    public async Task RunAsync(Terminal terminal, CancellationToken cancellation)
    {
        var (within, over) = (new List<ServingFigures>(), new List<ServingFigures>());
        await using (var local = await LocalServing.StartAsync(settings, cancellation))
        {
            // In turns, so that both meet the same machine.
            await using var far = broker is null ? null : await OverBroker.StartAsync(settings, broker, cancellation);
            foreach (var count in canvases)
            {
                within.Add(await new ServingBenchmark(local.Queue, local.Model).RunAsync(count, time, cancellation));
                if (far is not null)
                    over.Add(await new ServingBenchmark(far.Serving.Queue, far.Serving.Model).RunAsync(count, time, cancellation));
            }
        }
        Write(terminal.Output, within, over);
    }

    private void Write(TextWriter output, List<ServingFigures> within, List<ServingFigures> over)
    {
        if (json)
        {
            output.WriteLine(over.Count == 0 ? Node(within).ToJsonString() : new JsonObject { ["inProcess"] = Node(within), ["rabbitMq"] = Node(over) }.ToJsonString());
            return;
        }
        output.Write(ServingTable.Of(within));
        if (over.Count == 0)
            return;
        output.Write("\nover the broker\n" + ServingTable.Of(over) + "\n");
        foreach (var (near, far) in within.Zip(over))
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{near.Canvases,8} canvases: beside the model a job takes {near.Beside:0.0} ms within the process, {far.Beside:0.0} ms over the broker at the median: {far.Beside - near.Beside:+0.0;-0.0} ms"));
    }

    private static JsonNode Node(List<ServingFigures> figures) => System.Text.Json.JsonSerializer.SerializeToNode(figures, System.Text.Json.JsonSerializerOptions.Web)!;

    /// <summary>A web node and a worker in this process, with the broker between them; leaves nothing in it.</summary>
    private sealed class OverBroker : IAsyncDisposable
    {
        private const string Name = "bench";
        private readonly RabbitMqOptions _options;

        private OverBroker(RabbitMqOptions options, LocalServing serving) => (_options, Serving) = (options, serving);

        public LocalServing Serving { get; }

        public static async Task<OverBroker> StartAsync(IReadOnlyDictionary<string, string?> settings, string broker, CancellationToken cancellation)
        {
            var options = new RabbitMqOptions { Uri = broker, Prefix = $"saeunbox-bench-{Environment.ProcessId}", NodeName = Name };
            // Says in a sentence where it cannot be reached.
            await using (await BrokerAdmin.ConnectAsync(options, cancellation))
            {
            }
            return new(options, await LocalServing.StartAsync(new Dictionary<string, string?>(settings)
            {
                [LocalServing.BrokerKey] = options.Uri,
                [$"{RabbitMqOptions.Section}:{nameof(RabbitMqOptions.Prefix)}"] = options.Prefix,
                [$"{RabbitMqOptions.Section}:{nameof(RabbitMqOptions.NodeName)}"] = options.NodeName,
            }, cancellation));
        }

        public async ValueTask DisposeAsync()
        {
            var model = Serving.Model.Name;
            await Serving.DisposeAsync();
            await using var admin = await BrokerAdmin.ConnectAsync(_options);
            await admin.DeleteAsync([model], Name);
        }
    }
}
