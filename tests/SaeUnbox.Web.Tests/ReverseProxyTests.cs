using System.Net;
using System.Net.Http.Json;
using System.Net.WebSockets;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

/// <summary>The studio behind nginx and Caddy, as the files of deploy/ set them up.</summary>
[Collection(nameof(Studio))]
public sealed class ReverseProxyTests(Studio shared, Browser browser) : IClassFixture<Browser>
{
    private const string PublicName = "studio.example.org";
    private static readonly IPAddress One = IPAddress.Parse("127.0.0.2"), Other = IPAddress.Parse("127.0.0.3");
    private static readonly string[] SmallLimit = ["--SaeUnbox:Canvases:ReadingBurst=3", "--SaeUnbox:Canvases:ReadingsPerSecond=1"];

    public static TheoryData<string> Kinds => ReverseProxy.Kinds;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Paint_BehindAProxy_MakesPicturesOverWebSockets(string kind)
    {
        await using var proxy = await ReverseProxy.OfAsync(kind, shared.Address);
        await using var hub = await HubClient.ConnectAsync(proxy.Address, proxy.Address.GetLeftPart(UriPartial.Authority));
        await hub.InvokeAsync("Open", null, "");
        await hub.InvokeAsync("Refresh");
        await hub.HearAsync("Frame");

        var page = await browser.OpenAsync(proxy.Address);
        await page.PictureAsync();

        using var client = proxy.Client(One);
        using var head = await client.SendAsync(new(HttpMethod.Head, "/"), Cancelled);
        Assert.Equal((HttpStatusCode.OK, "text/html"), (head.StatusCode, head.Content.Headers.ContentType?.MediaType));
        Assert.Empty(await head.Content.ReadAsByteArrayAsync(Cancelled));
    }

    [Theory]
    [InlineData("nginx", "proxy_http_version 1.1;", "proxy_http_version 1.1; if ($http_upgrade) { return 403; }")]
    [InlineData("caddy", "reverse_proxy {", "@socket header Upgrade websocket\n\trespond @socket 403\n\treverse_proxy {")]
    public async Task Paint_BehindAProxyThatRefusesWebSockets_MakesPictures(string kind, string text, string by)
    {
        await using var proxy = await ReverseProxy.OfAsync(kind, shared.Address, file => ReverseProxy.Replaced(file, text, by));
        await Assert.ThrowsAsync<WebSocketException>(() => HubClient.ConnectAsync(proxy.Address));

        var page = await browser.OpenAsync(proxy.Address);
        await page.PictureAsync();
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Limits_BehindAProxy_CountTheVisitor(string kind)
    {
        var own = NetworkAddress.Own;
        await using var studio = await Studio.OfAsync(SmallLimit);
        await using var proxy = await ReverseProxy.OfAsync(kind, studio.Address);

        Assert.Contains(HttpStatusCode.TooManyRequests, await AskAsync(proxy.Client(One)));
        using var other = proxy.Client(Other);
        Assert.Equal(HttpStatusCode.OK, (await other.GetAsync("/api/v1/models", Cancelled)).StatusCode);
        // A visitor at an address that is no proxy's cannot make up others.
        Assert.SkipWhen(own is null, "This machine has no address in a network.");
        Assert.Contains(HttpStatusCode.TooManyRequests, await AskAsync(proxy.Client(own, to: own), forges: true));
    }

    [Fact]
    public async Task Paint_UnderAPathOfAnotherSite_GivesPicturesAndLinks()
    {
        await using var proxy = await ReverseProxy.NginxAsync(shared.Address, "nginx-path.conf");
        var page = await browser.OpenAsync(proxy.Address, "/sae");
        await page.PictureAsync();
        Assert.Equal("/sae/", new Uri(page.Url).AbsolutePath);

        using var client = proxy.Client(One);
        using var saved = await client.PostAsJsonAsync("/sae/api/v1/recipes", new { prompt = "a cat" }, Cancelled);
        Assert.StartsWith("/sae/s/", saved.Headers.Location!.ToString(), StringComparison.Ordinal);
        Assert.Contains("a cat", await client.GetStringAsync(saved.Headers.Location, Cancelled));
    }

    [Fact]
    public async Task Post_BehindAProxyThatChangesTheHost_Is403WithBothAddresses()
    {
        await using var proxy = await ReverseProxy.NginxAsync(shared.Address,
            change: file => ReverseProxy.Replaced(file, "proxy_set_header Host $http_host;", "proxy_set_header Host 192.0.2.7:8080;"));
        using var client = proxy.Client(One);
        var page = proxy.Address.GetLeftPart(UriPartial.Authority);
        client.DefaultRequestHeaders.Add("Origin", page);

        using var answer = await client.PostAsync("/hubs/paint/negotiate?negotiateVersion=1", null, Cancelled);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
        var text = await answer.Content.ReadAsStringAsync(Cancelled);
        Assert.Contains($"The page comes from {page}, but its request arrived for http://192.0.2.7:8080", text);
    }

    [Fact]
    public async Task Get_OverTls_SpeaksHttp2AndKnowsTheVisitorsAddress()
    {
        await using var studio = await Studio.OfAsync($"--SaeUnbox:PublicUrl=https://{PublicName}");
        await using var proxy = await ReverseProxy.NginxAsync(studio.Address, isSecure: true);
        using var client = proxy.Client(One, PublicName);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generate")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = JsonContent.Create(new { prompt = "a cat" }),
        };
        request.Headers.Add("Origin", $"https://{PublicName}");

        using var answer = await client.SendAsync(request, Cancelled);

        Assert.Equal((HttpStatusCode.OK, HttpVersion.Version20), (answer.StatusCode, answer.Version));
        Assert.True(answer.Headers.Contains("Strict-Transport-Security"));
        // The proxy tells all, so there is nothing to warn of.
        Assert.DoesNotContain("X-Forwarded-For", studio.Output);
    }

    // The second one passes on what the first one says of the scheme.
    [Fact]
    public async Task Limits_BehindTwoProxies_CountTheVisitor()
    {
        await using var studio = await Studio.OfAsync([.. SmallLimit, $"--SaeUnbox:PublicUrl=https://{PublicName}"]);
        await using var inner = await ReverseProxy.NginxAsync(studio.Address,
            change: file => ReverseProxy.Replaced(file, "X-Forwarded-Proto $scheme", "X-Forwarded-Proto $http_x_forwarded_proto"));
        await using var outer = await ReverseProxy.NginxAsync(inner.Address, isSecure: true);

        Assert.Contains(HttpStatusCode.TooManyRequests, await AskAsync(outer.Client(One, PublicName)));
        using var other = outer.Client(Other, PublicName);
        using var answer = await other.GetAsync("/api/v1/models", Cancelled);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.True(answer.Headers.Contains("Strict-Transport-Security"));
    }

    [Fact]
    public async Task Limits_BehindAProxyThatHidesVisitors_CountThemAsOneAndSaySoOnce()
    {
        await using var studio = await Studio.OfAsync(
            [.. SmallLimit, $"--SaeUnbox:PublicUrl=http://{PublicName}", "--SaeUnbox:Telemetry:Prometheus=true"]);
        await using var proxy = await ReverseProxy.NginxAsync(studio.Address,
            change: file => ReverseProxy.Replaced(file, "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;", ""));

        Assert.Contains(HttpStatusCode.TooManyRequests, await AskAsync(proxy.Client(One, PublicName)));
        using var other = proxy.Client(Other, PublicName);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await other.GetAsync("/api/v1/models", Cancelled)).StatusCode);
        // Visitors are not the machine itself, even though they seem to be.
        Assert.Equal(HttpStatusCode.NotFound, (await other.GetAsync("/metrics", Cancelled)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await studio.Client.GetAsync("/metrics", Cancelled)).StatusCode);
        Assert.Single(studio.Output.Split('\n'), line => line.Contains("does not send X-Forwarded-For", StringComparison.Ordinal));
    }

    private static async Task<HttpStatusCode[]> AskAsync(HttpClient client, bool forges = false)
    {
        using (client)
            return await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
            {
                using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/models");
                if (forges)
                    request.Headers.Add("X-Forwarded-For", $"203.0.113.{i}");
                using var answer = await client.SendAsync(request, Cancelled);
                return answer.StatusCode;
            }));
    }
}
