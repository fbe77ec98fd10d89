using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace SaeUnbox.Cli.Serving;

/// <summary><c>bench --serving</c>: measures the in-process queue and, with a broker, the same work over RabbitMQ.</summary>
/// <param name="settings">The model's settings, as in the web program.</param>
/// <param name="canvases">The number of simultaneous canvases of each run.</param>
/// <param name="time">Duration of each run.</param>
/// <param name="broker">Address of the broker; null for none.</param>
/// <param name="json">Prints the figures as JSON.</param>
internal sealed class ServingComparison(IReadOnlyDictionary<string, string?> settings, IReadOnlyList<int> canvases, TimeSpan time,
    string? broker, bool json)
{
    /// <summary>Measures how one painter fares beside a client with many canvases.</summary>
    public async Task RunBesideAsync(int greedy, Terminal terminal, CancellationToken cancellation)
    {
        await using var local = await LocalServing.StartAsync(settings, cancellation);
        await using var far = broker is null ? null : await OverBroker.StartAsync(settings, broker, cancellation);
        var nodes = new JsonObject();
        foreach (var (name, serving) in new[] { ("inProcess", local), ("rabbitMq", far?.Serving) })
        {
            if (serving is null)
                continue;
            var (alone, beside) = await new ServingBenchmark(serving.Queue, serving.Model).RunBesideAsync(greedy, time, cancellation);
            nodes[name] = new JsonObject
            {
                ["alone"] = Json.Node(alone),
                ["beside"] = Json.Node(beside),
                ["p95Ratio"] = beside.P95 / alone.P95,
                ["share"] = beside.JobsPerSecond / alone.JobsPerSecond,
            };
            if (!json)
                terminal.Output.Write((name == "rabbitMq" ? "over the broker, " : "") + ServingTable.Of(greedy, alone, beside));
        }
        if (json)
            terminal.Output.WriteLine(nodes.ToJsonString());
    }

    public async Task RunAsync(Terminal terminal, CancellationToken cancellation)
    {
        var (within, over) = (new List<ServingFigures>(), new List<ServingFigures>());
        await using (var local = await LocalServing.StartAsync(settings, cancellation))
        {
            // Alternates between the two, so that both run under the same conditions.
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
            output.WriteLine(over.Count == 0
                ? Json.Node(within).ToJsonString()
                : new JsonObject { ["inProcess"] = Json.Node(within), ["rabbitMq"] = Json.Node(over) }.ToJsonString());
            return;
        }
        output.Write(ServingTable.Of(within));
        if (over.Count == 0)
            return;
        output.Write("\nover the broker\n" + ServingTable.Of(over) + "\n");
        foreach (var (near, far) in within.Zip(over))
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{near.Canvases,8} canvases: median time of a job outside the model {near.Beside:0.0} ms in process, {far.Beside:0.0} ms "
                + $"over the broker: {far.Beside - near.Beside:+0.0;-0.0} ms"));
    }

    /// <summary>A web node and a worker in this process, connected by the broker. Deletes its queues when disposed.</summary>
    private sealed class OverBroker : IAsyncDisposable
    {
        private const string Name = "bench";
        private readonly RabbitMqOptions _options;

        private OverBroker(RabbitMqOptions options, LocalServing serving) => (_options, Serving) = (options, serving);

        public LocalServing Serving { get; }

        public static async Task<OverBroker> StartAsync(IReadOnlyDictionary<string, string?> settings, string broker,
            CancellationToken cancellation)
        {
            var options = new RabbitMqOptions { Uri = broker, Prefix = $"saeunbox-bench-{Environment.ProcessId}", NodeName = Name };
            // Fails with a clear message if the broker cannot be reached.
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

/// <summary>Serves a model in this process as the web program does, but without the page; over a broker if the settings name one.</summary>
internal sealed class LocalServing : IAsyncDisposable
{
    public const string BrokerKey = $"{RabbitMqOptions.Section}:{nameof(RabbitMqOptions.Uri)}";
    private readonly IHost _host;

    private LocalServing(IHost host) => _host = host;

    public IGenerationQueue Queue => _host.Services.GetRequiredService<IGenerationQueue>();

    public ModelInfo Model => _host.Services.GetRequiredService<IModelCatalogue>().Models[0];

    /// <param name="settings">Settings of the web program.</param>
    /// <exception cref="CliException">The model cannot be served.</exception>
    public static async Task<LocalServing> StartAsync(IReadOnlyDictionary<string, string?> settings, CancellationToken cancellation)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddSaeUnboxInference(builder.Configuration);
        if (builder.Configuration[BrokerKey] is not null)
        {
            builder.Services.AddRabbitMqWorker(builder.Configuration).AddRabbitMqNode(builder.Configuration);
            builder.Services.AddSingleton<IServingState>(
                provider => new ServingParts(provider.GetKeyedServices<IServingState>(ServingParts.Key)));
        }
        var serving = new LocalServing(builder.Build());
        await serving._host.StartAsync(cancellation);
        var state = serving._host.Services.GetRequiredService<IServingState>();
        while (!state.Loaded.IsCompleted && state.Failure is null)
            await Task.WhenAny(state.Loaded, Task.Delay(TimeSpan.FromMilliseconds(100), cancellation));
        cancellation.ThrowIfCancellationRequested();
        if (state.Failure is not { } failure)
            return serving;
        await serving.DisposeAsync();
        throw new CliException(failure);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
