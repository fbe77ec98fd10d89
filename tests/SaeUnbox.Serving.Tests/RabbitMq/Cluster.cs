using System.Diagnostics;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RabbitMQ.Client.Exceptions;
using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

/// <summary>Web nodes and workers on one broker, with their own queue prefix.</summary>
internal sealed class Cluster(Broker broker) : IAsyncDisposable
{
    private readonly Dictionary<string, string?> _settings = new()
    {
        ["Uri"] = broker.Uri,
        ["Prefix"] = $"test-{Guid.NewGuid():n}",
        ["AnnounceEvery"] = "00:00:00.500",
        ["Grace"] = "00:00:05",
    };
    private readonly List<IHost> _hosts = [];
    private readonly List<Process> _processes = [];

    public string Prefix => _settings["Prefix"]!;

    public Topology Topology => new(new() { Prefix = Prefix });

    public Cluster With(string key, object value)
    {
        _settings[key] = FormattableString.Invariant($"{value}");
        return this;
    }

    /// <summary>A web node in this process.</summary>
    public async Task<IHost> NodeAsync(string name = "web")
    {
        var host = await StartAsync(name, (services, settings) => services.AddRabbitMqNode(settings));
        return host;
    }

    /// <summary>A worker in this process.</summary>
    public Task<IHost> WorkerAsync(IJobExecutor executor, string name = "worker") => StartAsync(name, (services, settings) =>
    {
        services.AddSingleton<IReadOnlyList<IJobExecutor>>([executor]);
        services.AddRabbitMqWorker(settings);
    });

    /// <summary>A worker in a separate process, which a test can kill.</summary>
    public Process WorkerProcess(string name)
    {
        var settings = Settings(name).Select(setting => $"--{setting.Key}={setting.Value}");
        var process = Process.Start(new ProcessStartInfo("dotnet",
            [Path.Combine(AppContext.BaseDirectory, "SaeUnbox.Serving.TestWorker.dll"), .. settings, "--Logging:LogLevel:Default=None"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        _processes.Add(process);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    /// <summary>Publishes a message to the batch queue of the test's model, without a web node.</summary>
    public async Task PublishAsync(byte[] message)
    {
        await using var connection = await broker.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync(new(true, true));
        await Topology.DeclareModelAsync(channel, TestExecutor.Model, default);
        using var patience = new CancellationTokenSource(Broker.Patience);
        while (true)
            try
            {
                await channel.PublishAsync("", Topology.Batch(TestExecutor.Model), message, patience.Token);
                return;
            }
            catch (PublishException)
            {
                // A new queue may refuse messages for a moment.
                await Task.Delay(50, patience.Token);
            }
    }

    public async ValueTask DisposeAsync()
    {
        TestContext.Current.TestOutputHelper?.WriteLine(Said.ToString());
        foreach (var process in _processes)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
        foreach (var host in Enumerable.Reverse(_hosts))
        {
            await host.StopAsync(new CancellationToken(true));
            host.Dispose();
        }
    }

    private async Task<IHost> StartAsync(string name, Action<IServiceCollection, IConfiguration> add)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new() { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(Settings(name));
        builder.Services.AddLogging(logging => logging.AddProvider(Said));
        add(builder.Services, builder.Configuration);
        var host = builder.Build();
        _hosts.Add(host);
        await host.StartAsync();
        return host;
    }

    /// <summary>The log of the nodes and workers in this process.</summary>
    public LogLines Said { get; } = new();

    private Dictionary<string, string?> Settings(string name) =>
        new(_settings.Select(setting => KeyValuePair.Create($"{RabbitMqOptions.Section}:{setting.Key}", setting.Value)))
        {
            [$"{RabbitMqOptions.Section}:NodeName"] = name,
        };
}

internal static class HostExtensions
{
    public static IGenerationQueue Queue(this IHost host) => host.Services.GetRequiredService<IGenerationQueue>();

    /// <summary>Collects a job's reports up to the final one.</summary>
    public static async Task<IReadOnlyList<GenerationProgress>> ReportsAsync(this IHost host, Guid job)
    {
        using var patience = new CancellationTokenSource(Broker.Patience);
        var reports = new List<GenerationProgress>();
        await foreach (var progress in host.Queue().WatchAsync(job, patience.Token))
            reports.Add(progress);
        return reports;
    }

    public static async Task<GenerationProgress> LastAsync(this IHost host, Guid job) => (await host.ReportsAsync(job))[^1];

    /// <summary>Waits until a node knows this many workers or more, or this many or fewer.</summary>
    public static async Task WorkersAsync(this IHost host, int count, bool orFewer = false)
    {
        using var patience = new CancellationTokenSource(Broker.Patience);
        var directory = host.Services.GetRequiredService<WorkerDirectory>();
        while (orFewer ? directory.Workers.Count > count : directory.Workers.Count < count)
            await Task.Delay(20, patience.Token);
    }

    /// <summary>Waits until a job is running.</summary>
    public static async Task RunningAsync(this IHost host, Guid job)
    {
        using var patience = new CancellationTokenSource(Broker.Patience);
        await foreach (var progress in host.Queue().WatchAsync(job, patience.Token))
            if (progress is GenerationProgress.Running)
                return;
        throw new InvalidOperationException("the job ended before it was seen running");
    }
}

internal sealed class LogLines : ILoggerProvider, ILogger
{
    private readonly List<string> _lines = [];

    public override string ToString()
    {
        lock (_lines)
            return string.Join('\n', _lines);
    }

    public ILogger CreateLogger(string categoryName) => this;

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        lock (_lines)
            _lines.Add($"{DateTime.Now:HH:mm:ss.fff} {logLevel} {formatter(state, exception)} {exception}");
    }

    public void Dispose()
    {
    }
}
