using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using RabbitMQ.Client;
using SaeUnbox.Serving.Tests;
using SaeUnbox.Testing;

[assembly: AssemblyFixture(typeof(Broker))]
// The tests share a broker, and some kill it.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]

namespace SaeUnbox.Serving.Tests;

/// <summary>Debian's RabbitMQ on loopback, with its own name, ports and folder.</summary>
public sealed class Broker : IAsyncLifetime
{
    private const string Program = "/usr/lib/rabbitmq/bin/rabbitmq-server", NameDaemon = "epmd";
    internal static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private readonly TemporaryFolder _folder = new();
    private readonly int _port = FreePort(), _distribution = FreePort(), _names = FreePort();
    private Process? _process;

    public string Uri => $"amqp://guest:guest@127.0.0.1:{_port}/";

    public async ValueTask InitializeAsync()
    {
        if (!File.Exists(Program))
            throw new InvalidOperationException($"There is no {Program}; tests/setup.sh installs it.");
        await File.WriteAllTextAsync(_folder.At("plugins"), "[].");
        await File.WriteAllTextAsync(_folder.At("rabbitmq.conf"),
            $"listeners.tcp.local = 127.0.0.1:{_port}\ndisk_free_limit.absolute = 10MB\n");
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Kill();
        using var names = Process.Start(Environment(new ProcessStartInfo(NameDaemon, ["-kill"])));
        await names!.WaitForExitAsync();
        _folder.Dispose();
    }

    /// <summary>Starts the broker, and waits until it accepts connections.</summary>
    public async Task StartAsync()
    {
        _process = Process.Start(Environment(new ProcessStartInfo(Program)))!;
        _process.OutputDataReceived += static (_, _) => { };
        _process.ErrorDataReceived += static (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        var start = Stopwatch.GetTimestamp();
        while (!await AnswersAsync())
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(start) > 2 * Patience)
                throw new InvalidOperationException(
                    $"The broker did not start; its log "
                    + "says:\n"
                        + string.Join('\n',
                            Directory.GetFiles(_folder.Path, "*.log", SearchOption.AllDirectories).Select(File.ReadAllText)));
            await Task.Delay(100);
        }
    }

    /// <summary>Kills the broker, as a power cut would.</summary>
    public async Task KillAsync()
    {
        // This version of RabbitMQ stores a new queue only when the next one is declared, or after some seconds. So an extra queue is
        // declared.
        await using (var connection = await ConnectAsync())
        await using (var channel = await connection.CreateChannelAsync())
            await channel.QueueDeclareAsync($"last-{Guid.NewGuid():n}", durable: true, exclusive: false, autoDelete: false,
                new Dictionary<string, object?> { ["x-queue-type"] = "quorum" });
        Kill();
    }

    private void Kill()
    {
        _process?.Kill(entireProcessTree: true);
        _process?.WaitForExit();
        _process?.Dispose();
        _process = null;
    }

    internal async Task<IConnection> ConnectAsync() => await new ConnectionFactory { Uri = new(Uri) }.CreateConnectionAsync();

    private async Task<bool> AnswersAsync()
    {
        try
        {
            await using var connection = await ConnectAsync();
            return true;
        }
        catch (Exception exception) when (BrokerConnection.IsConnectionFailure(exception))
        {
            return false;
        }
    }

    private ProcessStartInfo Environment(ProcessStartInfo start)
    {
        (start.RedirectStandardOutput, start.RedirectStandardError) = (true, true);
        foreach (var (name, value) in new[]
        {
            ("HOME", _folder.Path), ("RABBITMQ_NODENAME", $"saeunbox-{_port}@localhost"), ("RABBITMQ_CONF_ENV_FILE", "/dev/null"),
            ("RABBITMQ_NODE_PORT", $"{_port}"), ("RABBITMQ_DIST_PORT", $"{_distribution}"), ("ERL_EPMD_PORT", $"{_names}"),
            ("ERL_EPMD_ADDRESS", "127.0.0.1"),
            ("RABBITMQ_MNESIA_BASE", _folder.At("data")), ("RABBITMQ_LOG_BASE", _folder.At("logs")),
            ("RABBITMQ_PID_FILE", _folder.At("pid")),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", _folder.At("plugins")), ("RABBITMQ_CONFIG_FILE", _folder.At("rabbitmq.conf")),
        })
            start.Environment[name] = value;
        return start;
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
