using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Serving.Tests;

/// <summary>Several processes of the web program, in their roles, on one broker, with the embedded model.</summary>
internal sealed class Programs(Broker broker) : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _prefix = $"test-{Guid.NewGuid():n}";

    public Broker Broker => broker;

    /// <summary>In the order of their start.</summary>
    public List<Process> Processes { get; } = [];

    /// <summary>The output of each process so far.</summary>
    public List<ConcurrentQueue<string>> Said { get; } = [];

    public static string PathOf(string project, string file) =>
        Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../..", project,
            Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), file));

    public static Task UntilAWorkerAsync(HttpClient page, bool isThere = true) =>
        UntilAsync(page, "/api/v1/models",
            async answer => answer.IsSuccessStatusCode && (await answer.Content.ReadFromJsonAsync<JsonElement[]>())!.Length > 0 == isThere);

    public static Task UntilAsync(HttpClient program, HttpStatusCode status, string path) =>
        UntilAsync(program, path, answer => Task.FromResult(answer.StatusCode == status));

    public static async Task TerminateAsync(Process process)
    {
        using var kill = Process.Start("kill", ["-TERM", $"{process.Id}"]);
        await kill.WaitForExitAsync();
        using var patience = new CancellationTokenSource(Broker.Patience);
        await process.WaitForExitAsync(patience.Token);
    }

    public HttpClient Start(string role, params string[] options) => StartAt(new($"http://localhost:{Broker.FreePort()}"), role, options);

    public HttpClient StartAt(Uri address, string role, params string[] options)
    {
        var process = Process.Start(new ProcessStartInfo("dotnet",
        [
            PathOf("SaeUnbox.Web", "SaeUnbox.Web.dll"), "--urls", address.ToString(), "--SaeUnbox:Queue=RabbitMq",
            $"--SaeUnbox:Role={role}", $"--SaeUnbox:RabbitMq:Uri={broker.Uri}",
            $"--SaeUnbox:RabbitMq:Prefix={_prefix}", "--SaeUnbox:RabbitMq:AnnounceEvery=00:00:00.5",
            $"--SaeUnbox:Sharing:File={_folder.At("shared.db")}", .. options,
        ])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var said = new ConcurrentQueue<string>();
        process.OutputDataReceived += (_, line) => said.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        Processes.Add(process);
        Said.Add(said);
        return new() { BaseAddress = address, Timeout = Broker.Patience };
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in Processes)
        {
            process.Kill();
            await process.WaitForExitAsync();
            process.Dispose();
        }
        _folder.Dispose();
    }

    private static async Task UntilAsync(HttpClient program, string path, Func<HttpResponseMessage, Task<bool>> isSo)
    {
        using var patience = new CancellationTokenSource(Broker.Patience);
        while (true)
        {
            try
            {
                using var answer = await program.GetAsync(path, patience.Token);
                if (await isSo(answer))
                    return;
            }
            catch (HttpRequestException)
            {
                // Not up yet.
            }
            await Task.Delay(100, patience.Token);
        }
    }
}
