using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using RabbitMQ.Client.Exceptions;
using SaeUnbox.Testing;

namespace SaeUnbox.Serving.Tests;

/// <summary>The web program in its roles, with the embedded model.</summary>
public sealed class ProgramTests(Broker broker) : IAsyncDisposable
{
    private readonly Programs _programs = new(broker);

    [Fact]
    public async Task Run_PageAndWorker_UsesTheWorkersModel()
    {
        var page = _programs.Start("web", "--SaeUnbox:RabbitMq:NodeName=page");
        // Without a worker the page is shown, and says so.
        await Programs.UntilAsync(page, HttpStatusCode.OK, "/readyz");
        foreach (var path in new[] { "/", "/explore", "/features", "/features/mid.0/1" })
            Assert.Contains("No worker is connected yet", await page.GetStringAsync(path));
        using (var refused = await page.PostAsJsonAsync("/api/v1/generate", new { prompt = "a red house by a lake" }))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
            Assert.Contains("No worker is connected yet", await refused.Content.ReadAsStringAsync());
        }

        var worker = _programs.Start("worker", "--SaeUnbox:RabbitMq:NodeName=worker");
        await Programs.UntilAsync(worker, HttpStatusCode.OK, "/readyz");
        await Programs.UntilAWorkerAsync(page);
        using var answer = await page.PostAsJsonAsync("/api/v1/generate", new { prompt = "a red house by a lake" });

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("image/png", answer.Content.Headers.ContentType?.MediaType);
        Assert.Contains("a red house by a lake", Encoding.Latin1.GetString(await answer.Content.ReadAsByteArrayAsync()));
        // A worker serves no page. The web node has the atlas of the worker's model.
        Assert.Equal(HttpStatusCode.NotFound, (await worker.GetAsync("/api/v1/models")).StatusCode);
        Assert.Contains("\"name\"", await page.GetStringAsync("/api/v1/models/unbox-mini/features?q=house"));

        await Programs.TerminateAsync(_programs.Processes[1]);
        Assert.Equal(0, _programs.Processes[1].ExitCode);
        await Programs.UntilAWorkerAsync(page, isThere: false);
        Assert.Equal("ready\n", await page.GetStringAsync("/readyz"));
    }

    // The killed node restarts under its name, or the page finds another node.
    [Theory]
    [InlineData("page")]
    [InlineData("other")]
    public async Task Resume_WebNodeDied_ShowsTheLastPictureOnce(string nodeName)
    {
        _programs.Start("worker", "--SaeUnbox:RabbitMq:NodeName=worker");
        var page = _programs.Start("web", "--SaeUnbox:RabbitMq:NodeName=page");
        await Programs.UntilAWorkerAsync(page);
        string job, recipe;
        await using (var hub = await HubClient.ConnectAsync(page.BaseAddress!))
        {
            await hub.InvokeAsync("Open", null, """{"prompt":"a house by a lake","steps":40}""");
            await hub.InvokeAsync("Refresh");
            var change = await hub.HearAsync("Changed");
            (job, recipe) = (change.GetProperty("job").GetString()!, change.GetProperty("recipe").GetString()!);
            await hub.HearAsync("Status", status => status.GetProperty("state").GetString() == "running");
            _programs.Processes[1].Kill();
            await _programs.Processes[1].WaitForExitAsync();
        }

        var next = _programs.Start("web", $"--SaeUnbox:RabbitMq:NodeName={nodeName}");
        await Programs.UntilAWorkerAsync(next);
        await using var again = await HubClient.ConnectAsync(next.BaseAddress!);
        await again.InvokeAsync("Open", null, recipe);
        await again.InvokeAsync("Resume", job);

        var first = (await again.HearAsync("Frame")).GetProperty("version").GetInt64();
        Assert.True(first == 1,
            $"the picture was made anew:\n{string.Join('\n', _programs.Said.Select((said, i) => $"{i}: {string.Join('\n', said)}"))}");
        await again.InvokeAsync("SetRecipe", """{"prompt":"a house by a lake","steps":1}""");
        Assert.Equal(2, (await again.HearAsync("Frame")).GetProperty("version").GetInt64());
        Assert.Equal(2, Made());
        // The job id is valid for its own recipe only.
        await again.InvokeAsync("Resume", job);
        Assert.Equal(4, (await again.HearAsync("Frame")).GetProperty("version").GetInt64());
        Assert.Equal(3, Made());

        // The worker logs one line per picture.
        int Made() => _programs.Said[0].Count(line => line.Contains("on unbox-mini: live True", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_WithACollector_OneTraceSpansPageAndWorker()
    {
        using var collector = new Collector();
        string[] telemetry = [
            $"--SaeUnbox:Telemetry:Otlp={collector.Address}",
            "--SaeUnbox:Telemetry:OtlpProtocol=http/protobuf",
            "--OTEL_BSP_SCHEDULE_DELAY=200",
            "--OTEL_METRIC_EXPORT_INTERVAL=500"
        ];
        var page = _programs.Start("web", ["--SaeUnbox:RabbitMq:NodeName=page", .. telemetry]);
        _programs.Start("worker", ["--SaeUnbox:RabbitMq:NodeName=worker", .. telemetry]);
        await Programs.UntilAWorkerAsync(page);
        var trace = Guid.NewGuid().ToString("n");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generate")
        {
            Content = JsonContent.Create(new { prompt = "a secret garden" })
        };
        request.Headers.Add("traceparent", $"00-{trace}-00f067aa0ba902b7-01");
        Assert.Equal(HttpStatusCode.OK, (await page.SendAsync(request)).StatusCode);

        var id = Convert.FromHexString(trace);
        // Spans that end at other times can come in other messages.
        foreach (var part in new[] { "/api/v1/generate", "saeunbox.job.id" })
            await collector.FindAsync("/v1/traces", Broker.Patience, id, "saeunbox-web", part);
        foreach (var stage in new[] { "process", "text", "unet", "decode", "encode" })
            Assert.Equal(-1,
                (await collector.FindAsync("/v1/traces", Broker.Patience, id, "saeunbox-worker", stage)).AsSpan().IndexOf("secret"u8));
        await collector.FindAsync("/v1/metrics", Broker.Patience, "saeunbox-web", "saeunbox.job.stage.duration", "wait");
        await collector.FindAsync("/v1/metrics", Broker.Patience, "saeunbox-worker", "saeunbox.job.stage.duration", "unet",
            "saeunbox.device.memory.usage");
    }

    [Fact]
    public async Task Run_WebAndWorkerInOne_GivesPictures()
    {
        var program = _programs.Start("all");
        await Programs.UntilAsync(program, HttpStatusCode.OK, "/readyz");
        using var answer = await program.PostAsJsonAsync("/api/v1/generate", new { prompt = "a boat" });

        Assert.Equal("image/png", answer.Content.Headers.ContentType?.MediaType);
        await Programs.TerminateAsync(_programs.Processes[0]);
        Assert.Equal(0, _programs.Processes[0].ExitCode);
    }

    [Fact]
    public async Task Run_SeveralMistakes_NamesEachWithoutThePassword()
    {
        _programs.Start("worker", "--SaeUnbox:RabbitMq:Uri=http://guest:hushhush@host/", "--SaeUnbox:RabbitMq:Prefix=a b",
            "--SaeUnbox:RabbitMq:QueueLimit=0", "--SaeUnbox:RabbitMq:AffinityWait=01:00:00");
        var said = await _programs.Processes[0].StandardError.ReadToEndAsync();
        await _programs.Processes[0].WaitForExitAsync();

        Assert.Equal(1, _programs.Processes[0].ExitCode);
        foreach (var key in new[] { "Uri", "Prefix", "QueueLimit", "AffinityWait" })
            Assert.Contains($"saeunbox: SaeUnbox:RabbitMq:{key} ", said);
        Assert.DoesNotContain("hushhush", said);
    }

    [Theory]
    [InlineData("--SaeUnbox:Queue=Kafka", "--SaeUnbox:Role=cook", "'Kafka'", "'cook'")]
    [InlineData("--SaeUnbox:Queue=InProcess", "--SaeUnbox:Role=web", "needs SaeUnbox:Queue=RabbitMq", "use all")]
    public async Task Run_UnknownRole_ListsTheRoles(string queue, string role, string first, string second)
    {
        _programs.Start("all", queue, role);
        var said = await _programs.Processes[0].StandardError.ReadToEndAsync();
        await _programs.Processes[0].WaitForExitAsync();

        Assert.Equal(1, _programs.Processes[0].ExitCode);
        Assert.Contains(first, said);
        Assert.Contains(second, said);
    }

    [Fact]
    public async Task Bench_OverTheBroker_ComparesBothAndCleansUp()
    {
        var program = Programs.PathOf("SaeUnbox.Cli", "saeunbox.dll");
        var process = Process.Start(new ProcessStartInfo("dotnet",
            [
                program,
                "bench",
                "--serving",
                "--canvases",
                "1,3",
                "--seconds",
                "1",
                "--broker",
                _programs.Broker.Uri,
                "--json"
            ])
        { RedirectStandardOutput = true })!;
        _programs.Processes.Add(process);
        var said = JsonDocument.Parse(await process.StandardOutput.ReadToEndAsync()).RootElement;
        await process.WaitForExitAsync();

        Assert.Equal(0, process.ExitCode);
        foreach (var kind in new[] { "inProcess", "rabbitMq" })
        {
            Assert.Equal([1, 3], said.GetProperty(kind).EnumerateArray().Select(line => line.GetProperty("canvases").GetInt32()));
            Assert.All(said.GetProperty(kind).EnumerateArray(), line => Assert.True(line.GetProperty("p50").GetDouble() > 0));
        }
        await using var connection = await _programs.Broker.ConnectAsync();
        await using var channel = await connection.CreateChannelAsync();
        await Assert.ThrowsAsync<OperationInterruptedException>(
            () => channel.QueueDeclarePassiveAsync($"saeunbox-bench-{process.Id}.live.unbox-mini"));
    }

    public ValueTask DisposeAsync() => _programs.DisposeAsync();
}
