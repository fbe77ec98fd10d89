using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

/// <summary>What strangers, scripts and other sites can ask for.</summary>
public sealed class OpenInternetTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Generate_MoreWorkThanAllowed_NamesTheField()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Cost=64");
        foreach (var (recipe, field) in new[]
        {
            ("""{"prompt":"a cat","steps":100,"width":512,"height":512}""", "steps"),
            ("""{"prompt":"a cat","width":2048,"height":2048}""", "width"),
        })
        {
            using var answer = await PostAsync(studio, "/api/v1/generate", recipe);

            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            var errors = (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("errors");
            Assert.Contains("this server allows", errors.GetProperty(field)[0].GetString());
        }
    }

    [Fact]
    public async Task Generate_LargePictures_UseUpTheLimitSooner()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Burst=8", "--SaeUnbox:Canvases:RequestsPerSecond=1");

        using var large = await PostAsync(studio, "/api/v1/generate", """{"prompt":"a cat","width":1024,"height":1024,"steps":4}""");
        using var next = await PostAsync(studio, "/api/v1/generate", """{"prompt":"a cat","width":1024,"height":1024,"steps":4}""");

        Assert.Equal(HttpStatusCode.OK, large.StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests, next.StatusCode);
    }

    [Fact]
    public async Task Save_RecipeForAnotherModel_IsRefused()
    {
        await using var studio = await Studio.OfAsync();
        using var answer = await PostAsync(studio, "/api/v1/recipes", """{"model":"elsewhere","prompt":"a cat"}""");

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Contains("elsewhere", await answer.Content.ReadAsStringAsync(Cancelled));
    }

    [Fact]
    public async Task Save_MoreThanAClientsBytes_Is429()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:StoredPerDay=1024", "--SaeUnbox:Canvases:PromptLength=10000");
        var answers = new List<HttpStatusCode>();
        for (var seed = 0; seed < 300 && !answers.Contains(HttpStatusCode.TooManyRequests); seed++)
        {
            using var answer = await PostAsync(studio, "/api/v1/recipes",
                JsonSerializer.Serialize(new { prompt = new string('x', 9000), seed }));
            answers.Add(answer.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Created, answers[0]);
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[^1]);
    }

    [Fact]
    public async Task Call_RefusedAgainAndAgain_EndsTheConnectionAndLogsNothing()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:ReadingBurst=20", "--SaeUnbox:Canvases:ReadingsPerSecond=1");
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        var lines = studio.Output.Length;
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => hub.InvokeAsync("Paint", 0, "", false));
        Assert.Contains("call Open first", refused.Message);

        for (var i = 0; i < 200; i++)
            await hub.SendAsync("""{"type":1,"target":"Paint","arguments":[0,"",false]}""");

        Assert.True(await hub.IsClosedAsync());
        Assert.DoesNotContain("Exception", studio.Output[lines..]);
    }

    [Fact]
    public async Task Generate_BodyTooLong_IsRefusedAndLogsNoError()
    {
        await using var studio = await Studio.OfAsync();

        using (var refused = await PostAsync(studio, "/api/v1/generate", new string(' ', RecipeLimits.MaxJsonBytes + (1 << 20))))
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        using (var next = await PostAsync(studio, "/api/v1/generate", """{"prompt":"a cat"}"""))
            Assert.Equal(HttpStatusCode.OK, next.StatusCode);

        await studio.StopAsync();
        Assert.DoesNotContain(" ERR ", studio.Output);
    }

    [Fact]
    public async Task Connect_MoreThanAClientMay_Is429()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:ConnectionsPerClient=2");
        await using var first = await HubClient.ConnectAsync(studio.Address);
        await using (await HubClient.ConnectAsync(studio.Address))
            Assert.Contains("429", (await Assert.ThrowsAsync<System.Net.WebSockets.WebSocketException>(
                () => HubClient.ConnectAsync(studio.Address))).Message);

        // The place of a connection that has ended is free.
        while (true)
            try
            {
                await using var later = await HubClient.ConnectAsync(studio.Address);
                return;
            }
            catch (System.Net.WebSockets.WebSocketException)
            {
                await Task.Delay(50, Cancelled);
            }
    }

    [Fact]
    public async Task Connect_MoreIdleOnesThanAllowed_AreClosed()
    {
        const int allowed = 8;
        await using var studio = await Studio.OfAsync($"--SaeUnbox:Canvases:Connections={allowed}");
        var connections = Enumerable.Range(0, 3 * allowed).Select(_ => new TcpClient()).ToArray();
        var answered = 0;
        foreach (var connection in connections)
        {
            await connection.ConnectAsync(studio.Address.Host, studio.Address.Port, Cancelled);
            answered += await IsAnsweredAsync(connection) ? 1 : 0;
        }
        Assert.InRange(answered, 1, allowed);

        foreach (var connection in connections)
            connection.Dispose();
        while (true)
        {
            using var later = new TcpClient();
            await later.ConnectAsync(studio.Address.Host, studio.Address.Port, Cancelled);
            if (await IsAnsweredAsync(later))
                return;
        }

        static async Task<bool> IsAnsweredAsync(TcpClient connection)
        {
            try
            {
                await connection.GetStream().WriteAsync("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray(), Cancelled);
                return await connection.GetStream().ReadAsync(new byte[1], Cancelled) > 0;
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task Get_UnderAnotherName_IsMisdirectedUnlessItIsThePublicOne()
    {
        await using (var local = await Studio.OfAsync())
        {
            using var answer = await GetAsync(local, "/", "evil.example");
            Assert.Equal(HttpStatusCode.MisdirectedRequest, answer.StatusCode);
            Assert.Contains("SaeUnbox:PublicUrl", await answer.Content.ReadAsStringAsync(Cancelled));
            Assert.Equal(HttpStatusCode.OK, (await GetAsync(local, "/readyz", "web")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await GetAsync(local, "/guide", "192.0.2.1")).StatusCode);
        }
        await using var studio = await Studio.OfAsync("--SaeUnbox:PublicUrl=https://studio.example/");
        Assert.Equal(HttpStatusCode.MisdirectedRequest, (await GetAsync(studio, "/", "evil.example")).StatusCode);
        using var saved = await PostAsync(studio, "/api/v1/recipes", """{"prompt":"a cat"}""");
        using var page = await GetAsync(studio, saved.Headers.Location!.ToString(), "studio.example");
        Assert.Contains("https://studio.example/s/", await page.Content.ReadAsStringAsync(Cancelled));
    }

    [Fact]
    public async Task Post_FromAPageOfAnotherSite_Is403()
    {
        await using var studio = await Studio.OfAsync();
        foreach (var (origin, expected) in new[]
        {
            ("https://evil.example", HttpStatusCode.Forbidden),
            ("null", HttpStatusCode.Forbidden),
            (studio.Address.GetLeftPart(UriPartial.Authority), HttpStatusCode.OK),
        })
        {
            using var request = Request(HttpMethod.Post, "/api/v1/generate", """{"prompt":"a cat"}""");
            request.Headers.Add("Origin", origin);
            Assert.Equal(expected, (await studio.Client.SendAsync(request, Cancelled)).StatusCode);
        }
    }

    [Fact]
    public async Task Generate_WithAKey_HasTheLimitsOfTheKey()
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes("open sesame")));
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Burst=1", "--SaeUnbox:Canvases:RequestsPerSecond=1",
            "--SaeUnbox:Api:Keys:0:Name=lab", $"--SaeUnbox:Api:Keys:0:Sha256={hash}", "--SaeUnbox:Api:Keys:0:Burst=50");

        Assert.Equal(HttpStatusCode.Unauthorized, await WithKeyAsync("open barley"));
        for (var i = 0; i < 5; i++)
            Assert.Equal(HttpStatusCode.OK, await WithKeyAsync("open sesame"));

        async Task<HttpStatusCode> WithKeyAsync(string key)
        {
            using var request = Request(HttpMethod.Post, "/api/v1/explore", """{"prompt":"a cat"}""");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
            using var answer = await studio.Client.SendAsync(request, Cancelled);
            return answer.StatusCode;
        }
    }

    // The server answers until the jobs have ended, so nobody's connection is cut.
    [Fact]
    public async Task Stop_DuringAJobLongerThanTheGrace_AnswersItWith503()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Grace=00:00:01", "--SaeUnbox:Canvases:Steps=1000",
            "--SaeUnbox:Canvases:Burst=100000", "--SaeUnbox:Canvases:RequestsPerSecond=10000");
        await using var hub = await HubClient.ConnectAsync(studio.Address);
        var answer = PostAsync(studio, "/api/v1/generate", """{"prompt":"a cat","steps":1000,"width":1024,"height":1024}""");
        await hub.InvokeAsync("Open", null, """{"prompt":"a tree"}""");
        await hub.InvokeAsync("Refresh");
        // The tree waits for the cat.
        await hub.HearAsync("Status", status => status.GetProperty("state").GetString() == "waiting");

        Assert.Equal(0, await studio.StopAsync());

        using var refused = await answer;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
    }

    private static Task<HttpResponseMessage> GetAsync(Studio studio, string path, string host)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Host = host;
        return studio.Client.SendAsync(request, Cancelled);
    }

    private static Task<HttpResponseMessage> PostAsync(Studio studio, string path, string json) =>
        studio.Client.SendAsync(Request(HttpMethod.Post, path, json), Cancelled);

    private static HttpRequestMessage Request(HttpMethod method, string path, string json) =>
        new(method, path) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
}
