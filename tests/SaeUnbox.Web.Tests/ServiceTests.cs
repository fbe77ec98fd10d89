using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using SaeUnbox.Testing;
using SaeUnbox.Web.Hosting;

namespace SaeUnbox.Web.Tests;

/// <summary>How the program starts, stops and applies its limits.</summary>
public sealed class ServiceTests(Browser browser) : IClassFixture<Browser>
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Generate_TooOften_Is429ForThatClientOnly()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Burst=2", "--SaeUnbox:Canvases:RequestsPerSecond=1");
        var answers = await Task.WhenAll(Enumerable.Range(0, 20)
            .Select(_ => GenerateAsync(studio, """{"prompt":"a tree"}""", "203.0.113.1")));

        var last = answers.First(answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
        Assert.True(last.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
        Assert.Equal("application/problem+json", last.Content.Headers.ContentType!.MediaType);
        Assert.Equal(HttpStatusCode.OK, (await GenerateAsync(studio, """{"prompt":"a tree"}""", "203.0.113.2")).StatusCode);

        await using var hub = await HubClient.ConnectAsync(studio.Address);
        await hub.InvokeAsync("Open", null, "");
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(async () =>
        {
            for (var i = 0; i < 50; i++)
                await hub.InvokeAsync("Refresh");
        });
        Assert.Contains("try again", refused.Message);
    }

    // Requests from this machine are trusted, so the other client uses the machine's network address.
    [Fact]
    public async Task Search_ForgedAddresses_CountAsOneClient()
    {
        var own = NetworkAddress.Own;
        Assert.SkipWhen(own is null, "This machine has no address in a network.");
        await using var studio = await Studio.OnEveryAddressAsync("--SaeUnbox:Canvases:ReadingBurst=3",
            "--SaeUnbox:Canvases:ReadingsPerSecond=1");

        Assert.Contains(HttpStatusCode.TooManyRequests, await AskAsync($"http://{own}:{studio.Address.Port}"));
        Assert.All(await AskAsync(studio.Address.ToString()), answer => Assert.Equal(HttpStatusCode.OK, answer));

        Task<HttpStatusCode[]> AskAsync(string site) => Task.WhenAll(Enumerable.Range(0, 40).Select(async i =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(new Uri(site), "/api/v1/models"));
            request.Headers.Add("X-Forwarded-For", $"203.0.113.{i}");
            using var answer = await studio.Client.SendAsync(request, Cancelled);
            return answer.StatusCode;
        }));
    }

    [Fact]
    public async Task Generate_QueueFull_Is429AndThePageSaysSo()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:QueueLimit=1", "--SaeUnbox:Canvases:Steps=1000",
            "--SaeUnbox:Canvases:Burst=100000", "--SaeUnbox:Canvases:RequestsPerSecond=10000");
        await using var running = await HubClient.ConnectAsync(studio.Address);
        await using var waiting = await HubClient.ConnectAsync(studio.Address);
        foreach (var (hub, state) in new[] { (running, "running"), (waiting, "waiting") })
        {
            await hub.InvokeAsync("Open", null, """{"prompt":"a house","steps":1000,"width":512,"height":512}""");
            await hub.InvokeAsync("Refresh");
            await hub.HearAsync("Status", status => status.GetProperty("state").GetString() == state);
        }

        var refused = await GenerateAsync(studio, """{"prompt":"a tree"}""", "203.0.113.1");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.True(refused.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
        Assert.Equal("application/problem+json", refused.Content.Headers.ContentType!.MediaType);

        var page = await browser.OpenAsync(studio);
        var message = page.Locator(".message.bad");
        await message.WaitForAsync();
        Assert.Contains("as soon as there is room", await message.TextContentAsync());
    }

    [Fact]
    public async Task Search_TooOften_Is429()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:ReadingBurst=3", "--SaeUnbox:Canvases:ReadingsPerSecond=1");
        var answers = new List<HttpStatusCode>();
        for (var i = 0; i < 8; i++)
            answers.Add((await studio.Client.GetAsync("/api/v1/models", Cancelled)).StatusCode);

        Assert.Equal(HttpStatusCode.OK, answers[0]);
        Assert.Contains(HttpStatusCode.TooManyRequests, answers);
    }

    [Fact]
    public async Task Paint_TooOften_SaysWhenToRetryAndKeepsStrokesApart()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Burst=4", "--SaeUnbox:Canvases:RequestsPerSecond=1",
            "--SaeUnbox:Canvases:StrokeBurst=50");
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        await hub.InvokeAsync("Open", null, """{"prompt":"a house","edits":[{"site":"up.0.1","feature":12,"strength":8}]}""");
        for (var i = 0; i < 20; i++)
            Assert.Equal(JsonValueKind.Null, (await hub.InvokeAsync("Paint", 0, "", false)).GetProperty("retryAfterSeconds").ValueKind);

        JsonElement answer;
        do
            answer = await hub.InvokeAsync("Paint", 0, "", true);
        while (answer.GetProperty("retryAfterSeconds").ValueKind == JsonValueKind.Null);
        Assert.InRange(answer.GetProperty("retryAfterSeconds").GetDouble(), .01, 10);
    }

    [Fact]
    public async Task ShortLink_OpenedTooOften_Is429()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:ReadingBurst=3", "--SaeUnbox:Canvases:ReadingsPerSecond=1");
        HttpResponseMessage last = null!;
        for (var i = 0; i < 20 && last?.StatusCode != HttpStatusCode.TooManyRequests; i++)
            last = await studio.Client.GetAsync("/s/0123456789012345678901", Cancelled);

        Assert.Equal(HttpStatusCode.TooManyRequests, last.StatusCode);
        Assert.True(last.Headers.RetryAfter!.Delta >= TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Get_OverHttps_SendsStrictTransportSecurity()
    {
        await using var studio = await Studio.OfAsync();
        using var request = new HttpRequestMessage(HttpMethod.Get, "/healthz");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("X-Forwarded-Host", "studio.example");
        using var answer = await studio.Client.SendAsync(request, Cancelled);

        Assert.Equal("max-age=15552000", Assert.Single(answer.Headers.GetValues("Strict-Transport-Security")));
        Assert.False((await studio.Client.GetAsync("/healthz", Cancelled)).Headers.Contains("Strict-Transport-Security"));
    }

    [Fact]
    public async Task Terminate_DuringAJob_IsNotReadyAndFinishesIt()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:ReadinessDelay=00:00:05", "--SaeUnbox:Grace=00:05:00");
        await using var watcher = await HubClient.ConnectAsync(studio.Address);
        await watcher.InvokeAsync("Open", null, """{"prompt":"a house","steps":100}""");
        // The queue runs one job at a time, so the request waits behind this canvas's job.
        await watcher.InvokeAsync("Refresh");
        await watcher.HearAsync("Status", status => status.GetProperty("state").GetString() == "running");
        var job = GenerateAsync(studio, """{"prompt":"a boat at sea","steps":20}""", "203.0.113.1");
        var stop = studio.StopAsync();

        string ready;
        while ((ready = await ReadinessAsync(studio)) == "ready\n")
            await Task.Delay(20, Cancelled);
        Assert.Equal("stopping\n", ready);
        Assert.Equal(HttpStatusCode.OK, (await job).StatusCode);
        Assert.Equal(0, await stop);
    }

    [Fact]
    public async Task Start_SeveralMistakes_NamesEachAndExits()
    {
        var (code, said) = await RunAsync("--SaeUnbox:QueueLimit=0", "--SaeUnbox:Canvases:Burst=0", "--SaeUnbox:Sharing:File=",
            "--SaeUnbox:TrustedProxies:0=everyone", "--model", "/nowhere",
            "--SaeUnbox:Telemetry:Otlp=collector", "--SaeUnbox:Telemetry:OtlpProtocol=pigeon", "--SaeUnbox:Telemetry:Readers:0=all");

        Assert.Equal(1, code);
        foreach (var key in new[]
        {
            "QueueLimit",
            "Canvases:Burst",
            "Sharing:File",
            "TrustedProxies",
            "/nowhere",
            "Telemetry:Otlp ",
            "'pigeon'",
            "Telemetry:Readers"
        })
            Assert.Contains(said.Split('\n'),
                line => line.StartsWith("saeunbox: ", StringComparison.Ordinal) && line.Contains(key, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", said);
    }

    [Fact]
    public async Task Start_UnreadableValues_AreNamedWithTheOtherMistakes()
    {
        var (code, said) = await RunAsync("--SaeUnbox:Telemetry:Prometheus=yes", "--SaeUnbox:QueueLimit=abc", "--SaeUnbox:Grace=soon",
            "--SaeUnbox:Canvases:Steps=7,5", "--SaeUnbox:Canvases:Pixels=1e400", "--SaeUnbox:Canvases:Most=5.0", "--SaeUnbox:PathBase=sae",
            "--SaeUnbox:ReadinessDelay=never", "--SaeUnbox:Canvases:Keep=long",
            "--SaeUnbox:Models:0:Threads=two", "--dtype", "fp64", "--Serilog:MinimumLevel:Default=loud", "--SaeUnbox:Store=Oracle",
            "--SaeUnbox:Sharing:Keep=-1.00:00:00", "--SaeUnbox:Canvases:Burst=0",
            "--SaeUnbox:Queue=RabbitMq", "--SaeUnbox:RabbitMq:AffinityWait=x", "--SaeUnbox:RabbitMq:QueueLimit=0");

        Assert.Equal(1, code);
        foreach (var mistake in new[]
        {
            "Telemetry:Prometheus is 'yes'; use true or false", "SaeUnbox:QueueLimit is 'abc'; use a whole number",
            "SaeUnbox:Grace is 'soon'; use a time such as 00:00:20", "ReadinessDelay is 'never'",
            "Canvases:Steps is '7,5'; use a whole number", "Canvases:Pixels is '1e400'",
            "SaeUnbox:PathBase is 'sae'; use a path such as /sae",
            "Canvases:Keep is 'long'", "Models:0:Threads is 'two'", "Models:0:Dtype is 'fp64'; use Auto, Fp32",
            "MinimumLevel:Default is 'loud'; use Verbose, Debug", "Store is 'Oracle'", "Sharing:Keep is '-1.00:00:00'",
            "Canvases:Burst is '0'", "RabbitMq:AffinityWait is 'x'", "RabbitMq:QueueLimit is 0", "RabbitMq:Uri is missing",
        })
            Assert.Contains(said.Split('\n'),
                line => line.StartsWith("saeunbox: ", StringComparison.Ordinal) && line.Contains(mistake, StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", said);
        Assert.DoesNotContain("Canvases:Most", said);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("https://127.0.0.1:0")]
    [InlineData("http://localhost:99999")]
    [InlineData("http://192.0.2.1:5080")]
    public async Task Start_InvalidAddress_SaysWhyInOneLine(string address)
    {
        var (code, said) = await RunAsync("--urls", address);

        Assert.Equal(1, code);
        Assert.Contains(said.Split('\n'), line => line.StartsWith("saeunbox: ", StringComparison.Ordinal));
        Assert.DoesNotContain("   at ", said);
    }

    [Theory]
    [InlineData(30)]
    [InlineData(50, "SaeUnbox:Queue", "RabbitMq")]
    [InlineData(615, "SaeUnbox:Queue", "rabbitmq", "SaeUnbox:RabbitMq:Grace", "00:05:00", "SaeUnbox:ReadinessDelay", "00:00:05")]
    [InlineData(70, "SaeUnbox:Grace", "00:01:00")]
    [InlineData(30, "SaeUnbox:Grace", "soon")]
    public void TimeToStop_OfAConfiguration_HoldsItsLongestGrace(int seconds, params string[] settings) =>
        Assert.Equal(TimeSpan.FromSeconds(seconds),
            Roles.TimeToStop(new ConfigurationBuilder().AddInMemoryCollection(
                settings.Chunk(2).ToDictionary(pair => pair[0], pair => (string?)pair[1]))
                .Build()));

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public async Task Start_PortTaken_SaysSoAndExits(string address)
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6 || address != "::1", "This system has no IPv6.");
        using var other = new TcpListener(IPAddress.Parse(address), 0);
        other.Start();
        var wanted = $"http://localhost:{((IPEndPoint)other.LocalEndpoint).Port}";

        var (code, said) = await RunAsync("--urls", wanted);

        Assert.Equal(1, code);
        Assert.Contains($"saeunbox: another program already listens at {wanted}; ", said);
        Assert.DoesNotContain("   at ", said);
    }

    [Theory]
    [InlineData("SaeUnbox:QueueLimt", "SaeUnbox:QueueLimt is not a setting; SaeUnbox has Api, Canvases, ")]
    [InlineData("SaeUnbox:Canvases:Brst", "SaeUnbox:Canvases:Brst is not a setting; SaeUnbox:Canvases has Burst, ")]
    [InlineData("SaeUnbox:Models:0:Foldr", "SaeUnbox:Models:0:Foldr is not a setting; SaeUnbox:Models:0 has AtlasFolder, ")]
    public async Task Start_UnknownSetting_NamesItAndThoseThereAre(string setting, string expected)
    {
        var (code, said) = await RunAsync($"--{setting}=1");

        Assert.Equal(1, code);
        Assert.Contains($"saeunbox: {expected}", said);
    }

    [Theory]
    [InlineData("saeunbox: --modell is not a known option", "--modell", "DIR")]
    [InlineData("saeunbox: --model needs a value", "--model")]
    [InlineData("saeunbox: --model needs a value", "--model", "--device", "cpu")]
    public async Task Start_UnknownArgument_NamesItAndExits(string mistake, params string[] options)
    {
        var (code, said) = await RunAsync(options);

        Assert.Equal(1, code);
        Assert.Contains(said.Split('\n'), line => line.StartsWith(mistake, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Start_Ready_PrintsTheAddressInOneLine()
    {
        await using var studio = await Studio.OfAsync();
        var line = $"saeunbox: the studio is open at {studio.Address.ToString().TrimEnd('/')} (Ctrl-C stops it)";

        while (!studio.Output.Split('\n').Contains(line))
            await Task.Delay(20, Cancelled);
    }

    [Fact]
    public async Task Start_OptionsWithoutAModel_ServesTheShippedOne()
    {
        await using var studio = await Studio.OfAsync("--device", "cpu", "--threads", "1");

        Assert.Contains("\"unbox-mini\"", await studio.Client.GetStringAsync("/api/v1/models", Cancelled));
    }

    [Fact]
    public async Task Start_WithLoras_TellsThemInEveryPicture()
    {
        using var folder = new TemporaryFolder();
        WrittenLora.Write(folder.At("style.safetensors"), "kohya", WrittenLora.Middle);
        WrittenLora.Write(folder.At("other.safetensors"), "peft", WrittenLora.Middle);
        await using var studio = await Studio.OfAsync("--model", Goldens.At("model"), "--saes", Goldens.At("saes"),
            "--lora", $"{folder.At("style.safetensors")}:0.5", $"--lora={folder.At("other.safetensors")}");

        using var recipe = new StringContent("""{"prompt":"a dog"}""", Encoding.UTF8, "application/json");
        using var answer = await studio.Client.PostAsync(new Uri("/api/v1/generate", UriKind.Relative), recipe, Cancelled);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Cancelled));
        var picture = await answer.Content.ReadAsByteArrayAsync(Cancelled);
        var made = Recipe.FromJson(Png.FindText(picture, Recipe.PngKeyword)!);
        Assert.Equal(["style:0.5", "other:1"], made.Loras.Select(lora => lora.ToString()));

        using var elsewhere = new StringContent(
            (made with { Loras = [made.Loras[1]] }).ToJson(), Encoding.UTF8, "application/json");
        using var refusal = await studio.Client.PostAsync(new Uri("/api/v1/generate", UriKind.Relative), elsewhere, Cancelled);
        Assert.Equal(HttpStatusCode.BadRequest, refusal.StatusCode);
        Assert.Contains("was made with the LoRA other:1", await refusal.Content.ReadAsStringAsync(Cancelled));
    }

    [Fact]
    public async Task Start_ModelUnusable_SaysWhyInOneLine()
    {
        using var folder = new TemporaryFolder();
        using var process = Process.Start(Studio.Command([
            "--urls",
            "http://127.0.0.1:0",
            "--model",
            folder.Path,
            $"--SaeUnbox:Sharing:File={folder.At("shares.db")}"
        ]))!;
        try
        {
            var line = await process.StandardError.ReadLineAsync(Cancelled).AsTask().WaitAsync(Studio.Patience, Cancelled);
            Assert.StartsWith("saeunbox: the studio at http://127.0.0.1:", line);
            Assert.Contains("model_index.json", line);
        }
        finally
        {
            process.Kill();
        }
    }

    [Fact]
    public async Task Help_Asked_ListsTheOptions()
    {
        var (code, said) = await RunAsync("--help");

        Assert.Equal(0, code);
        foreach (var option in new[]
        {
            "--model ",
            "--saes ",
            "--atlas ",
            "--clip ",
            "--device ",
            "--dtype ",
            "--urls ",
            "http://localhost:5080"
        })
            Assert.Contains(option, said);
    }

    private static async Task<(int Code, string Output)> RunAsync(params string[] options)
    {
        using var folder = new TemporaryFolder();
        var command = Studio.Command([$"--SaeUnbox:Sharing:File={folder.At("shares.db")}", .. options]);
        command.Environment["HOME"] = folder.Path; // without the developer's certificate for https that the SDK may have made
        using var process = Process.Start(command)!;
        var said = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(Cancelled), process.StandardError.ReadToEndAsync(Cancelled))
            .WaitAsync(Studio.Patience, Cancelled);
        await process.WaitForExitAsync(Cancelled);
        return (process.ExitCode, string.Concat(said));
    }

    // Sends the request as a proxy on this machine would.
    private static async Task<HttpResponseMessage> GenerateAsync(Studio studio, string recipe, string client)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generate")
        {
            Content = JsonContent.Create(JsonSerializer.Deserialize<JsonElement>(recipe))
        };
        request.Headers.Add("X-Forwarded-For", client);
        return await studio.Client.SendAsync(request, Cancelled);
    }

    private static async Task<string> ReadinessAsync(Studio studio)
    {
        using var answer = await studio.Client.GetAsync("/readyz", Cancelled);
        return await answer.Content.ReadAsStringAsync(Cancelled);
    }
}
