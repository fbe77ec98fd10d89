using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Playwright;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

/// <summary>The program with the bundled model, on a free port.</summary>
public sealed class Studio : IAsyncLifetime
{
    internal static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    /// <summary>A picture with a house at the left, a pine at the right and mountains behind.</summary>
    internal static readonly Recipe House = new()
    {
        Model = "unbox-mini",
        Prompt = "a red house and a pine tree in a meadow, mountains behind",
        Seed = 10,
        Width = 512,
        Height = 512,
    };

    private readonly TemporaryFolder _folder = new();
    private readonly StringBuilder _said = new();
    private string[] _options = ["--SaeUnbox:Canvases:Burst=2000", "--SaeUnbox:Canvases:RequestsPerSecond=2000"];
    private Process? _process;
    private string _listensOn = "localhost";

    public Uri Address { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    /// <summary>Processor time that the program has used, in milliseconds.</summary>
    public double ProcessorMilliseconds => ProcessorTime.Of(_process!.Id);

    /// <summary>Memory that the program has now, in bytes.</summary>
    internal long ResidentBytes
    {
        get
        {
            _process!.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>What the program has written to the console.</summary>
    public string Output
    {
        get
        {
            lock (_said)
                return _said.ToString();
        }
    }

    /// <summary>Starts a studio with settings and waits until it is ready.</summary>
    internal static async Task<Studio> OfAsync(params string[] options)
    {
        var studio = new Studio { _options = options };
        await studio.InitializeAsync();
        return studio;
    }

    /// <summary>Starts a studio that listens at every address of this machine.</summary>
    internal static async Task<Studio> OnEveryAddressAsync(params string[] options)
    {
        var studio = new Studio { _options = options, _listensOn = "0.0.0.0" };
        await studio.InitializeAsync();
        return studio;
    }

    /// <summary>
    /// The command that starts the program with these arguments: the one that SAEUNBOX_STUDIO names, else the one that is built.
    /// </summary>
    internal static ProcessStartInfo Command(IEnumerable<string> options)
    {
        var program = Environment.GetEnvironmentVariable("SAEUNBOX_STUDIO")
            ?? Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../SaeUnbox.Web",
            Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "SaeUnbox.Web.dll"));
        return new ProcessStartInfo("dotnet", [program, .. options]) { RedirectStandardOutput = true, RedirectStandardError = true };
    }

    public async ValueTask InitializeAsync()
    {
        Address = new($"http://localhost:{FreePort()}");
        Client = new() { BaseAddress = Address, Timeout = Patience };
        await StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Client.Dispose();
        _folder.Dispose();
    }

    /// <summary>Starts the program on the same port as before and waits until it is ready.</summary>
    public async Task StartAsync()
    {
        _process = Process.Start(Command([
            "--urls",
            $"http://{_listensOn}:{Address.Port}",
            $"--SaeUnbox:Sharing:File={_folder.At("shares.db")}",
            // Many tests want a picture that takes long.
            "--SaeUnbox:Canvases:Cost=1000000",
            "--SaeUnbox:Canvases:Burst=100000",
            "--SaeUnbox:Canvases:RequestsPerSecond=10000",
            .. _options
        ]))!;
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        var clock = Stopwatch.StartNew();
        while (!(await StateAsync()).StartsWith("ready", StringComparison.Ordinal))
        {
            Assert.False(_process.HasExited, $"the studio ended:\n{Output}");
            Assert.True(clock.Elapsed < Patience, $"the studio is not ready:\n{Output}");
            await Task.Delay(100);
        }
    }

    /// <summary>Asks the program to end, as a service manager does, and returns its exit code.</summary>
    public async Task<int> StopAsync()
    {
        if (_process is null)
            return 0;
        Process.Start("kill", ["-TERM", $"{_process.Id}"]).WaitForExit();
        using var patience = new CancellationTokenSource(Patience);
        await _process.WaitForExitAsync(patience.Token);
        var code = _process.ExitCode;
        _process.Dispose();
        _process = null;
        return code;
    }

    /// <summary>Ends the program as a power cut would.</summary>
    internal async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    private async Task<string> StateAsync()
    {
        try
        {
            return await (await Client.GetAsync("/readyz")).Content.ReadAsStringAsync();
        }
        catch (HttpRequestException)
        {
            return "";
        }
    }

    private void Keep(string? line)
    {
        if (line is not null)
            lock (_said)
                _said.AppendLine(line);
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}

internal static class BrowserExtensions
{
    /// <summary>Opens a page of this studio in a new window with empty storage.</summary>
    public static Task<IPage> OpenAsync(this Browser browser, Studio studio, string address = "/", int width = 1440, int height = 900,
        bool dark = true, bool touch = false, bool waitsForPage = true) =>
        browser.OpenAsync(studio.Address, address, width, height, dark, touch, waitsForPage);
}

/// <summary>Tests that share one running studio.</summary>
[CollectionDefinition(nameof(Studio))]
public sealed class StudioCollection : ICollectionFixture<Studio>;
