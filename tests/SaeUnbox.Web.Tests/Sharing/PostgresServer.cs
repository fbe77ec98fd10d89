using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests.Sharing;

/// <summary>A PostgreSQL server on loopback with its own data folder, for the time of the tests.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private const string Owner = "postgres";
    private readonly TemporaryFolder _folder = new();
    private int _port;

    /// <summary>Returns a connection string for a new database.</summary>
    public string NewDatabase()
    {
        var name = $"test_{Guid.NewGuid():N}";
        Do($"create database {name}");
        return Connection(name);
    }

    /// <summary>Runs a statement as the server's owner.</summary>
    public void Do(string command)
    {
        using var connection = new NpgsqlConnection(Connection("postgres"));
        connection.Open();
        using var sql = new NpgsqlCommand(command, connection);
        sql.ExecuteNonQuery();
    }

    public async ValueTask InitializeAsync()
    {
        _port = FreePort();
        // PostgreSQL refuses to run as root, and its user needs access to the folder.
        if (Environment.UserName == "root")
            await RunAsync("chown", Owner, _folder.Path);
        await PostgresAsync("initdb", "-D", _folder.At("data"), "-U", Owner, "-A", "trust", "--no-sync");
        await PostgresAsync("pg_ctl", "-D", _folder.At("data"), "-l", _folder.At("log"), "-w", "-o",
            $"-p {_port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={_folder.Path} -c fsync=off", "start");
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await PostgresAsync("pg_ctl", "-D", _folder.At("data"), "-m", "immediate", "stop");
        _folder.Dispose();
    }

    private string Connection(string database) =>
        $"Host=127.0.0.1;Port={_port};Database={database};Username={Owner};Password=not-asked-for";

    private static Task PostgresAsync(string program, params string[] words)
    {
        var path = Directory
            .EnumerateDirectories("/usr/lib/postgresql")
            .Order()
            .Select(version => Path.Combine(version, "bin", program))
            .Last(File.Exists);
        return Environment.UserName == "root" ? RunAsync("runuser", ["-u", Owner, "--", path, .. words]) : RunAsync(path, words);
    }

    private static async Task RunAsync(string program, params string[] words)
    {
        // Without pipes, because the started server would keep them open.
        using var process = Process.Start(new ProcessStartInfo("sh",
            ["-c", "\"$@\" > /dev/null 2>&1", "sh", program, .. words])
        { WorkingDirectory = "/" })!;
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', words)}: exit {process.ExitCode}");
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
