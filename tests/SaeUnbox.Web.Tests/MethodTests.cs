using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace SaeUnbox.Web.Tests;

/// <summary>HEAD, wrong methods and wrong types, at every address of the site; parts of files.</summary>
[Collection(nameof(Studio))]
public sealed class MethodTests(Studio studio)
{
    private static readonly string[] Pages =
        ["/", "/explore", "/features", "/features/mid.0/1", "/guide", "/api", "/healthz", "/readyz", "/openapi/v1.json", "/css/base.css"];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Head_AnyAddress_IsGetWithoutTheBody()
    {
        foreach (var address in (string[])[.. Pages, .. await ApiAsync("get"), "/nowhere", "/s/AAAAAAAAAAAAAAAAAAAAAA"])
        {
            using var get = await studio.Client.GetAsync(address, Cancelled);
            using var head = await SendAsync(HttpMethod.Head, address);

            Assert.Equal(get.StatusCode, head.StatusCode);
            Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
            Assert.Equal(get.Headers.ETag, head.Headers.ETag);
            Assert.Empty(await head.Content.ReadAsByteArrayAsync(Cancelled));
        }
    }

    [Fact]
    public async Task Get_PartOfAFile_GivesThatPartOrTheWholeFile()
    {
        const int from = 10, to = 29;
        var whole = await studio.Client.GetByteArrayAsync("/css/base.css", Cancelled);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/css/base.css") { Headers = { Range = new(from, to) } };
        using var answer = await studio.Client.SendAsync(request, Cancelled);

        // A studio that runs from its sources sends the whole file.
        var sent = await answer.Content.ReadAsByteArrayAsync(Cancelled);
        Assert.Equal(answer.StatusCode == HttpStatusCode.PartialContent ? whole[from..(to + 1)] : whole, sent);
        Assert.True(answer.IsSuccessStatusCode);
    }

    [Theory]
    [InlineData("DELETE")]
    [InlineData("PUT")]
    [InlineData("PATCH")]
    [InlineData("POST")]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task Send_OtherMethod_Is405WithTheAllowedOnes(string method)
    {
        var takesGet = (string[])[.. Pages, .. await ApiAsync("get")];
        var wrong = method is "GET" or "HEAD" ? (await ApiAsync("post")).Except(takesGet)
            : method == "POST" ? takesGet.Except(await ApiAsync("post")) : takesGet.Concat(await ApiAsync("post"));
        foreach (var address in wrong)
        {
            using var answer = await SendAsync(new(method), address);

            Assert.True(answer.StatusCode == HttpStatusCode.MethodNotAllowed, $"{method} {address}: {answer.StatusCode}");
            var allowed = answer.Content.Headers.Allow;
            Assert.DoesNotContain(method, allowed);
            Assert.Equal(takesGet.Contains(address), allowed.Contains("GET"));
            Assert.Equal(allowed.Contains("GET"), allowed.Contains("HEAD"));
            if (method != "HEAD")
                Assert.StartsWith($"This address takes {string.Join(", ", allowed)}; {method} was sent", await DetailAsync(answer));
        }
    }

    [Fact]
    public async Task Post_UnknownAddress_IsNotFound() =>
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Post, "/nowhere")).StatusCode);

    [Fact]
    public async Task Post_OtherContentType_Is415AndSaysWhatToSend()
    {
        foreach (var address in await ApiAsync("post"))
        {
            using var answer = await studio.Client.PostAsync(address, new StringContent("a house"), Cancelled);

            Assert.Equal(HttpStatusCode.UnsupportedMediaType, answer.StatusCode);
            Assert.Contains("Content-Type: application/json", await DetailAsync(answer));
        }
    }

    // The addresses of the API with this method, with examples for their parts.
    private async Task<string[]> ApiAsync(string method)
    {
        var document = await studio.Client.GetFromJsonAsync<JsonElement>("/openapi/v1.json", Cancelled);
        return
        [
            .. document
                .GetProperty("paths")
                .EnumerateObject()
                .Where(path => path.Value.TryGetProperty(method, out _))
                .Select(path => path.Name
                .Replace("{model}", "default", StringComparison.Ordinal).Replace("{site}", "up.0.1", StringComparison.Ordinal)
                .Replace("{feature}", "12", StringComparison.Ordinal).Replace("{id}", "x", StringComparison.Ordinal)
                .Replace("{name}", "x", StringComparison.Ordinal)),
        ];
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string address)
    {
        using var request = new HttpRequestMessage(method, address);
        return await studio.Client.SendAsync(request, Cancelled);
    }

    private static async Task<string?> DetailAsync(HttpResponseMessage answer) =>
        (await answer.Content.ReadFromJsonAsync<JsonElement>(Cancelled)).GetProperty("detail").GetString();
}
