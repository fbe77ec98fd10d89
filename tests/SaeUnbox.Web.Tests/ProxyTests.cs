using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>The studio behind proxies: under a prefix, with another Host, without WebSockets.</summary>
public sealed partial class ProxyTests(Browser browser) : IClassFixture<Browser>
{
    private const string Prefix = "/sae";

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, true)]
    public async Task Pages_UnderAPrefix_ReferToNothingOutsideIt(bool isSetting, bool isInPath)
    {
        await using var studio = await Studio.OfAsync(
            $"--SaeUnbox:PathBase={(isSetting ? Prefix : "")}", "--SaeUnbox:Canvases:ReadingBurst=1000");
        var (open, seen) = (new Queue<Uri>(), new HashSet<Uri>());
        foreach (var page in new[] { "/", "/explore", "/features", "/features/mid.0/1", "/guide", "/api" })
            open.Enqueue(new(studio.Address, Prefix + page));
        // Pages of features refer to each other without end.
        while (seen.Count < 200 && open.TryDequeue(out var address))
        {
            if (!seen.Add(address))
                continue;
            Assert.True(address.AbsolutePath.StartsWith(Prefix + "/", StringComparison.Ordinal), $"{address} is outside");
            using var request = new HttpRequestMessage(HttpMethod.Get,
                isInPath ? address : new(studio.Address, address.PathAndQuery[Prefix.Length..]));
            if (!isSetting)
                request.Headers.Add("X-Forwarded-Prefix", Prefix);
            using var answer = await studio.Client.SendAsync(request, Cancelled);
            Assert.True(answer.StatusCode == HttpStatusCode.OK, $"{address}: {answer.StatusCode}");
            var type = answer.Content.Headers.ContentType?.MediaType;
            var text = type is "text/html" or "text/javascript" ? await answer.Content.ReadAsStringAsync(Cancelled) : "";
            // Addresses of a page are relative to its base, those of a script to the script.
            var start = type == "text/html" ? new Uri(studio.Address, Prefix + "/") : address;
            foreach (Match reference in (type == "text/html" ? Reference() : Import()).Matches(text))
                open.Enqueue(new(new Uri(start, WebUtility.HtmlDecode(reference.Groups[1].Value)).GetLeftPart(UriPartial.Query)));
        }
        Assert.True(seen.Count > 40, $"{seen.Count} addresses");
    }

    [Fact]
    public async Task Paint_UnderAPrefix_GivesPicturesAndWorkingLinks()
    {
        await using var studio = await Studio.OfAsync($"--SaeUnbox:PathBase={Prefix}");
        var page = await browser.OpenAsync(studio, Prefix + "/");
        await page.PictureAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "Explore" }).ClickAsync();
        await page.WaitForURLAsync($"**{Prefix}/explore**");
        var saved = await (await studio.Client.PostAsync($"{Prefix}/api/v1/recipes",
            new StringContent("""{"prompt":"a cat"}""", null, "application/json"), Cancelled)).Content.ReadAsStringAsync(Cancelled);
        var link = Regex.Match(saved, "\"address\":\"([^\"]+)\"").Groups[1].Value;
        Assert.StartsWith($"{Prefix}/s/", link, StringComparison.Ordinal);
        await page.GotoAsync(new Uri(studio.Address, link).ToString());
        await page.GetByRole(AriaRole.Link, new() { Name = "Open in the studio" }).ClickAsync();
        await page.WaitForURLAsync(address => new Uri(address).AbsolutePath == Prefix + "/");
        await page.PictureAsync();
        Assert.Equal("a cat", await page.Locator("#prompt").InputValueAsync());
    }

    [Fact]
    public async Task Paint_BehindAProxyThatChangesTheHost_SaysSoAndLogsBothHostsOnce()
    {
        await using var studio = await Studio.OfAsync();
        await using var proxy = new FarStudio(studio, TimeSpan.Zero, text => Host().Replace(text, "Host: 192.0.2.7:8080\r\n"));
        var page = await browser.OpenAsync(proxy.Address, waitsForPage: false);

        var notice = page.Locator("#connection-refused.is-refused");
        await notice.WaitForAsync();
        var text = await notice.TextContentAsync();
        var own = $"http://localhost:{proxy.Address.Port}";
        Assert.Contains($"The page comes from {own}, but its request arrived for http://192.0.2.7:8080", text);
        Assert.Contains("SaeUnbox:TrustedProxies", text);
        var line = Assert.Single(studio.Output.Split('\n'), line => line.Contains("may not connect", StringComparison.Ordinal));
        Assert.Contains(own, line);
        Assert.Contains("http://192.0.2.7:8080", line);
    }

    [Fact]
    public async Task Paint_WhereNoWebSocketPasses_MakesPictures()
    {
        await using var studio = await Studio.OfAsync();
        await using var proxy = new FarStudio(studio, TimeSpan.Zero,
            text => text.Replace("Upgrade: websocket", "X-Removed: websocket", StringComparison.OrdinalIgnoreCase));
        var page = await browser.OpenAsync(proxy.Address);

        await page.PictureAsync();
        Assert.False(await page.Locator("#connection-refused.is-refused").IsVisibleAsync());
    }

    [Theory]
    [InlineData("/#r%3D{0}")]
    [InlineData("/?r={0}")]
    [InlineData("/?r%3D{0}")]
    [InlineData("/#r={0})")]
    [InlineData("/%23r={0}")]
    [InlineData("/%23r%3D{0}")]
    public async Task Link_ChangedByAChat_OpensItsRecipe(string form)
    {
        await using var studio = await Studio.OfAsync();
        var link = new Recipe { Model = "unbox-mini", Prompt = "a cat on sand", Width = 512, Height = 512 }.ToLink();
        var page = await browser.OpenAsync(studio, string.Format(null, form, link));

        await Assertions.Expect(page.Locator("#prompt")).ToHaveValueAsync("a cat on sand");
        await page.PictureAsync();
        Assert.Equal(studio.Address.ToString(), page.Url);
    }

    [Theory]
    [InlineData(")")]
    [InlineData(".")]
    [InlineData("%29.")]
    [InlineData("_")]
    [InlineData(",%20")]
    [InlineData("%3E")]
    public async Task ShortLink_WithTrailingPunctuation_Opens(string behind)
    {
        await using var studio = await Studio.OfAsync();
        var saved = await (await studio.Client.PostAsync("/api/v1/recipes",
            new StringContent("""{"prompt":"a cat"}""", null, "application/json"), Cancelled)).Content.ReadAsStringAsync(Cancelled);
        var address = Regex.Match(saved, "\"address\":\"([^\"]+)\"").Groups[1].Value;

        Assert.Contains("a cat", await studio.Client.GetStringAsync(address + behind, Cancelled));
        Assert.Equal(HttpStatusCode.NotFound, (await studio.Client.GetAsync(address + "a", Cancelled)).StatusCode);
    }

    [GeneratedRegex("(?:href|src)=\"((?!data:|https?:|#)[^\"]*)\"")]
    private static partial Regex Reference();

    [GeneratedRegex(@"(?:from |import\()'([^']+\.js)'")]
    private static partial Regex Import();

    [GeneratedRegex("Host: [^\r]*\r\n")]
    private static partial Regex Host();
}
