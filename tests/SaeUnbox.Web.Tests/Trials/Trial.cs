using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests.Trials;

/// <summary>
/// What the studio promises, tried from outside: hostile inputs, load, faults and stopping. tests/trial.sh runs it and prints its table.
/// </summary>
public sealed class Trial(ITestOutputHelper output)
{
    private const int Canvases = 24, MostShown = 30;
    private const string Greedy = "203.0.113.1", Modest = "203.0.113.2";
    private static readonly string[] VisitorsLimits = ["--SaeUnbox:Canvases:Cost=64", "--SaeUnbox:Canvases:ReadingBurst=100000"];
    private readonly TrialLedger _ledger = new();

    private static bool IsShort => Environment.GetEnvironmentVariable("SAEUNBOX_TRIAL") != "long";

    [Fact(Explicit = true)]
    public async Task Run_OnLoopback_KeepsEveryPromise()
    {
        var seed = Environment.TickCount;
        await using (var studio = await Studio.OfAsync(VisitorsLimits))
        {
            await new HostileInputs(studio, _ledger, IsShort ? 40 : 1000, new Random(seed)).RunAsync();
            await new HostileConnections(studio, _ledger).RunAsync(withSlowOnes: !IsShort);
            await LoadAsync(studio, TimeSpan.FromSeconds(IsShort ? 4 : 60));
        }
        await MemoryAsync();
        await FaultsAsync();
        await StoppingAsync();

        output.WriteLine($"{_ledger}(seed {seed})");
        foreach (var complaint in _ledger.Complaints.Take(MostShown))
            output.WriteLine($"not as promised: {complaint}");
        Assert.True(_ledger.Complaints.Count == 0, $"{_ledger.Complaints.Count} tries were not as promised");
    }

    // One client with many canvases beside one that paints on one.
    private async Task LoadAsync(Studio studio, TimeSpan time)
    {
        using var ending = new CancellationTokenSource(time);
        var pictures = await Task.WhenAll(Enumerable.Range(0, Canvases + 1).Select(i => PaintAsync(i == 0 ? Modest : Greedy, i)));
        var share = (double)pictures[0] / pictures.Sum();
        _ledger.Add("load", "one painter beside a greedy client", share >= 1 / 3.0 ? null
            : string.Create(CultureInfo.InvariantCulture, $"{pictures[0]} of {pictures.Sum()} pictures are his; a third is promised"));

        async Task<int> PaintAsync(string visitor, int canvas)
        {
            var count = 0;
            await _ledger.TryAsync("load", $"canvas {canvas}", async () =>
            {
                await using var hub = await HubClient.ConnectAsync(studio.Address, visitor: visitor);
                await hub.InvokeAsync("Open", null, "");
                for (var seed = 0; !ending.IsCancellationRequested; seed++)
                {
                    var answer = await hub.InvokeAsync("SetRecipe", JsonSerializer.Serialize(new { prompt = "a cat", seed }));
                    var version = answer.GetProperty("version").GetInt64();
                    await hub.HearAsync("Frame", frame => frame.GetProperty("version").GetInt64() >= version);
                    if (!ending.IsCancellationRequested)
                        count++;
                }
                return null;
            });
            return count;
        }
    }

    // The memory of a large picture goes back to the system.
    private async Task MemoryAsync()
    {
        const double most = 1.1;
        await using var studio = await Studio.OfAsync();
        await MakeAsync(512, 4);
        await MakeAsync(512, 4);
        var before = studio.ResidentBytes;
        await MakeAsync(1024, 20);
        var ratio = (double)studio.ResidentBytes / before;
        _ledger.Add("load", "memory after a large picture", ratio <= most ? null
            : string.Create(CultureInfo.InvariantCulture, $"{ratio:0.00} times that before; {most} is promised"));

        async Task MakeAsync(int side, int steps)
        {
            using var answer = await studio.Client.PostAsJsonAsync("/api/v1/generate",
                new { prompt = "a cat", width = side, height = side, steps });
            answer.EnsureSuccessStatusCode();
        }
    }

    private async Task FaultsAsync()
    {
        const string part = "faults";
        foreach (var (what, option) in new[]
        {
            ("a full disk", $"--SaeUnbox:Sharing:MinFreeBytes={long.MaxValue}"), ("a full store", "--SaeUnbox:Sharing:MaxBytes=1048576")
        })
            await _ledger.TryAsync(part, what, async () =>
            {
                await using var studio = await Studio.OfAsync(option, "--SaeUnbox:Canvases:PromptLength=10000");
                var saved = await SaveAsync(studio, 0, LongPrompt());
                for (var seed = 1; saved.Status == 201 && seed < 1000; seed++)
                    saved = await SaveAsync(studio, seed, LongPrompt());
                using var made = await studio.Client.PostAsJsonAsync("/api/v1/generate", new { prompt = "a cat" });
                return saved.Status != 503 ? $"a link is answered with {saved.Status}"
                    : !saved.Answer.Contains("\"detail\":", StringComparison.Ordinal) ? $"no sentence: {saved.Answer}"
                    : made.IsSuccessStatusCode ? null : $"a picture is answered with {(int)made.StatusCode}";
            });
        await KillsAsync(IsShort ? 2 : 10);
        using var folder = new TemporaryFolder();
        using var taken = new TcpListener(System.Net.IPAddress.Loopback, 0);
        taken.Start();
        foreach (var (what, options) in new[]
        {
            ("a model's folder that is missing", new[] { "--model", folder.At("nowhere") }),
            ("autoencoders' folder that is missing", ["--saes", folder.At("nowhere")]),
            ("a setting that is misspelt", ["--SaeUnbox:QueueLimt=1"]), ("a value that is none", ["--SaeUnbox:Grace=soon"]),
            ("a port that is taken", ["--urls", $"http://127.0.0.1:{((System.Net.IPEndPoint)taken.LocalEndpoint).Port}"]),
            ("a store that cannot be made", ["--SaeUnbox:Sharing:File=/proc/nowhere/shares.db"]),
        })
            await _ledger.TryAsync(part, what, () => StartAsync(folder, options));
        await _ledger.TryAsync(part, "a model's folder that is empty", async () =>
        {
            using var process = Process.Start(Studio.Command(
                ["--urls", "http://127.0.0.1:0", "--model", folder.Path, $"--SaeUnbox:Sharing:File={folder.At("shares.db")}"]))!;
            try
            {
                var line = await process.StandardError.ReadLineAsync().WaitAsync(Studio.Patience);
                return line?.StartsWith("saeunbox: ", StringComparison.Ordinal) == true ? null : $"it says: {line}";
            }
            finally
            {
                process.Kill();
            }
        });
    }

    // Every link that was answered is there after a kill.
    private async Task KillsAsync(int kills)
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:ReadingBurst=100000");
        var links = new List<string>();
        for (var i = 0; i < kills; i++)
        {
            using var ending = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            var saving = Task.Run(async () =>
            {
                try
                {
                    for (var seed = 1000 * i; ; seed++)
                        if (await SaveAsync(studio, seed) is (201, _, { } link))
                            links.Add(link);
                }
                catch (HttpRequestException)
                {
                    // The studio is killed.
                }
            });
            await Task.Delay(TimeSpan.FromSeconds(1));
            await studio.KillAsync();
            await saving;
            await studio.StartAsync();
        }
        foreach (var link in links)
            await _ledger.TryAsync("faults", "a link after kills", async () =>
            {
                using var answer = await studio.Client.GetAsync(link);
                return answer.IsSuccessStatusCode ? null : $"{link} is answered with {(int)answer.StatusCode}";
            });
    }

    private async Task StoppingAsync()
    {
        const string part = "stopping";
        var grace = TimeSpan.FromSeconds(2);
        await using var studio = await Studio.OfAsync($"--SaeUnbox:Grace={grace}", "--SaeUnbox:ReadinessDelay=00:00:01",
            "--SaeUnbox:Canvases:Steps=1000");
        await using var resting = await HubClient.ConnectAsync(studio.Address);
        var endless = studio.Client.PostAsJsonAsync("/api/v1/generate", new { prompt = "a cat", steps = 1000, width = 512, height = 512 });
        await resting.InvokeAsync("Open", null, """{"prompt":"a tree"}""");
        await resting.InvokeAsync("Refresh");
        await resting.HearAsync("Status", status => status.GetProperty("state").GetString() == "waiting");
        var clock = Stopwatch.StartNew();
        var stop = studio.StopAsync();
        await _ledger.TryAsync(part, "readiness goes first", async () =>
        {
            while (!stop.IsCompleted)
                if ((int)(await studio.Client.GetAsync("/readyz")).StatusCode == 503)
                    return null;
            return "the program ended while /readyz said yes";
        });
        await _ledger.TryAsync(part, "a new connection", async () =>
        {
            try
            {
                await using var late = await HubClient.ConnectAsync(studio.Address);
                return "it is taken";
            }
            catch (WebSocketException exception)
            {
                return exception.Message.Contains("503", StringComparison.Ordinal) ? null : exception.Message;
            }
        });
        await _ledger.TryAsync(part, "a job longer than the grace", async () =>
        {
            using var answer = await endless;
            return (int)answer.StatusCode == 503 ? null : $"it is answered with {(int)answer.StatusCode}";
        });
        await _ledger.TryAsync(part, "the exit code", async () => await stop is 0 ? null : "it is not 0");
        var most = grace + TimeSpan.FromSeconds(1 + 10);
        _ledger.Add(part, "the time", clock.Elapsed <= most ? null : $"{clock.Elapsed} in place of {most}");
        await _ledger.TryAsync(part, "a resting connection", async () => await resting.IsClosedAsync() ? null : "it stays open");

        await studio.StartAsync();
        var shortOne = studio.Client.PostAsJsonAsync("/api/v1/generate", new { prompt = "a cat" });
        await using (var hub = await HubClient.ConnectAsync(studio.Address))
            await hub.InvokeAsync("Open", null, "");
        var last = studio.StopAsync();
        await _ledger.TryAsync(part, "a job within the grace", async () =>
        {
            using var answer = await shortOne;
            return (int)answer.StatusCode == 200 ? null : $"it is answered with {(int)answer.StatusCode}";
        });
        await _ledger.TryAsync(part, "the exit code", async () => await last is 0 ? null : "it is not 0");
    }

    // A start that must fail in one sentence.
    private static async Task<string?> StartAsync(TemporaryFolder folder, string[] options)
    {
        using var process = Process.Start(Studio.Command(
            [.. options.Contains("--urls") ? Array.Empty<string>() : ["--urls", "http://127.0.0.1:0"],
                $"--SaeUnbox:Sharing:File={folder.At("shares.db")}", .. options]))!;
        try
        {
            var said = string.Concat(await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync())
                .WaitAsync(Studio.Patience));
            await process.WaitForExitAsync();
            return process.ExitCode != 1 ? $"the exit code is {process.ExitCode}"
                : said.Contains("   at ", StringComparison.Ordinal) ? "it prints a trace"
                : said.Contains("saeunbox: ", StringComparison.Ordinal) ? null : $"it says: {said}";
        }
        finally
        {
            if (!process.HasExited)
                process.Kill();
        }
    }

    private static string LongPrompt() => Convert.ToHexString(RandomNumberGenerator.GetBytes(4500));

    private static async Task<(int Status, string Answer, string? Link)> SaveAsync(Studio studio, int seed, string prompt = "a cat")
    {
        using var body = new StringContent(JsonSerializer.Serialize(new { prompt, seed }), Encoding.UTF8, "application/json");
        using var answer = await studio.Client.PostAsync("/api/v1/recipes", body);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer.Headers.Location?.ToString());
    }
}
