using System.Globalization;
using System.Net.WebSockets;
using System.Text;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests.Trials;

/// <summary>What strangers may send to a studio: bodies, links, messages, names, methods and sizes that nobody means well with.</summary>
/// <param name="tries">How many mutated inputs of each kind.</param>
internal sealed class HostileInputs(Studio studio, TrialLedger ledger, int tries, Random random)
{
    private const int KiB = 1 << 10, MiB = 1 << 20;

    private static readonly Recipe Sound = new()
    {
        Model = EmbeddedModel.Name,
        Prompt = "a cat on sand",
        Seed = 7,
        Steps = 2,
        Width = 512,
        Height = 512,
        Edits = [new(Site.Parse("down.2.1"), 104, 5) { Mask = BrushMask.FromCells(16, 16, Half()) }],
    };

    private static readonly string Good = Sound.ToJson();

    private static readonly string[] Doors = ["generate", "explore", "selection", "recipes"];
    private static readonly string[] Values =
        ["null", "true", "-1", "1e999", "99999999999999999999", "0.5", "\"\"", "[]", "{}", "\"\\ud800\"", "\"\\u0000\"", "NaN", "[[[[]]]]"];

    private readonly string _host = studio.Address.Authority;

    public async Task RunAsync()
    {
        await BodiesAsync();
        await LinksAsync();
        await MessagesAsync();
        await NamesAsync();
        await MethodsAsync();
        await SizesAsync();
        await ledger.TryAsync("afterwards", "a picture", async () => Complaint(await PostAsync("generate", Good), 200));
        var errors = studio.Output.Split('\n').Where(line => line.Contains(" ERR ", StringComparison.Ordinal)
            || line.Contains(" FTL ", StringComparison.Ordinal) || line.StartsWith("   at ", StringComparison.Ordinal)).ToArray();
        ledger.Add("afterwards", "the log has no error", errors.Length == 0 ? null : $"{errors.Length} lines, as {errors[0]}");
    }

    private async Task BodiesAsync()
    {
        const string part = "bodies of the API";
        string[] fixedOnes =
        [
            "", "null", "[]", "\"", "\0", "\u00ff\u00fe{", new('[', 100_000), Good + Good, """{"prompt":"a","prompt":"b","promptt":"c"}""",
            $$"""{"prompt":"{{new string('x', 5000)}}"}""", """{"width":1e9,"height":1e9}""", """{"width":7}""", """{"steps":2147483648}""",
            """{"model":"../../etc/passwd"}""", """{"prompt":"<script>alert(1)</script>"}""", """{"prompt":"'; DROP TABLE Recipes; --"}""",
            $$"""{"edits":[{{string.Join(',', Enumerable.Repeat("""{"site":"mid.0","feature":1}""", 5000))}}]}""",
            """{"edits":[{"site":"mid.0","feature":1,"mask":"512x512/9:////"}]}""", """{"edits":[{"site":"mid.0","feature":-1}]}""",
            """{"edits":[{"site":"mid.0","feature":1,"mask":"99999x99999/1:A"}]}""",
            Encoding.Latin1.GetString(Png.Encode(new Picture(8, 8, 3, new byte[8 * 8 * 3]), new Dictionary<string, string>())),
        ];
        foreach (var door in Doors)
            foreach (var body in fixedOnes.Concat(Enumerable.Range(0, tries).Select(_ => Mutated(Good))))
                await ledger.TryAsync(part, $"{door} {Short(body)}", async () =>
                    Complaint(await PostAsync(door, body), 200, 201, 400, 413, 429));
        foreach (var type in new[] { "text/plain", "application/xml", "multipart/form-data; boundary=x", "image/png", "application/jso" })
            await ledger.TryAsync(part, type, async () => Complaint(await PostAsync("generate", Good, type), 415));
    }

    private async Task LinksAsync()
    {
        const string part = "links and paths";
        var link = Sound.ToLink();
        string[] fixedOnes =
        [
            "/../../../etc/passwd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/lib/..%2f..%2f..%2fappsettings.json", "/appsettings.json",
            "/SaeUnbox.Web.dll", "/SaeUnbox.Web.deps.json", "/s/..%2f..%2fetc%2fpasswd", "/s/%00", "/s/" + new string('A', 8000),
            "/%c0%ae%c0%ae/",
            "/%", "/%zz", "/a//b///c", "/api/v1/models/..%2f..%2f/features", "/api/v1/models/default/features?text=%22%27--&limit=-1",
            "/api/v1/models/default/features?offset=99999999999999999999", "/api/v1/models/default/features?limit=1e9",
            "/features/mid.0/-1",
            "/features/mid.0/99999999999999999999", "/features/%3Cscript%3E/1", "/explore?site=%3Cscript%3E",
            "/?r=" + new string('A', 7000),
            "/_blazor", "/_blazor/negotiate", "/hubs/paint", "/hubs/paint?id=x", "/hubs/paint?version=99",
            "/_framework/../appsettings.json",
            "/s/AAAAAAAAAAAAAAAAAAAAAA/card.jpg", "/error", "/not-found",
        ];
        foreach (var path in fixedOnes.Concat(Enumerable.Range(0, tries).Select(i => (i % 3) switch
        {
            0 => "/?r=" + Escaped(Mutated(link)),
            1 => "/s/" + Escaped(Mutated("AAAAAAAAAAAAAAAAAAAAAA")),
            _ => "/api/v1/recipes/" + Escaped(Mutated("AAAAAAAAAAAAAAAAAAAAAA")),
        })))
            await ledger.TryAsync(part, Short(path), async () =>
                Complaint(await RawRequest.SendAsync(studio.Address, RawRequest.Of("GET", path, _host))));
    }

    private async Task MessagesAsync()
    {
        const string part = "messages of the hub";
        string[] fixedOnes =
        [
            "", "x", "{}", "[]", "null", """{"type":99}""", """{"type":1}""", """{"type":1,"target":null,"arguments":null}""",
            """{"type":1,"target":"ToString","arguments":[]}""", """{"type":1,"target":"OnDisconnectedAsync","arguments":[null]}""",
            """{"type":1,"target":"Open","arguments":[]}""", """{"type":1,"target":"Open","arguments":[1,2,3,4]}""",
            """{"type":1,"target":"Open","arguments":["../../etc/passwd","{"]}""", """{"type":1,"target":"Open","arguments":[{},[]]}""",
            """{"type":1,"target":"Paint","arguments":[-1,"",true]}""", """{"type":1,"target":"Paint","arguments":[2147483648,"",true]}""",
            """{"type":1,"target":"Paint","arguments":[0,"99999x99999/1:A",true]}""", """{"type":1,"target":"Resume","arguments":["x"]}""",
            """{"type":1,"target":"Resume","arguments":[null]}""", """{"type":1,"target":"SetRecipe","arguments":[null]}""",
            $$"""{"type":1,"target":"SetRecipe","arguments":["{{new string('[', 50_000)}}"]}""",
            """{"type":4,"invocationId":"1","target":"Open"}""",
            """{"type":2,"invocationId":"1","item":1}""", """{"type":5,"invocationId":"1"}""", """{"type":7}""", new string('{', 100_000),
        ];
        var call = """{"type":1,"invocationId":"1","target":"SetRecipe","arguments":["{\"prompt\":\"a\",\"edits\":[]}"]}""";
        foreach (var message in fixedOnes.Concat(Enumerable.Range(0, tries).Select(_ => Mutated(call))))
            await ledger.TryAsync(part, Short(message), async () =>
            {
                await using var hub = await HubClient.ConnectAsync(studio.Address);
                await hub.InvokeAsync("Open", null, Good);
                await hub.SendAsync(message);
                try
                {
                    // Either the connection goes on or it is closed, or it waits, as behind a message of an unknown type.
                    await hub.InvokeAsync("Cancel").WaitAsync(TimeSpan.FromSeconds(1));
                }
                catch (TimeoutException)
                {
                    return null;
                }
                catch (Exception exception) when (exception is WebSocketException or InvalidOperationException)
                {
                    return exception.Message.Contains("   at ", StringComparison.Ordinal) ? exception.Message : null;
                }
                return null;
            });
        for (var i = 0; i < tries; i++)
            await ledger.TryAsync(part, "bytes as MessagePack", async () =>
            {
                using var socket = new ClientWebSocket();
                await socket.ConnectAsync(new($"ws://{_host}/hubs/paint"), default);
                await socket.SendAsync("{\"protocol\":\"messagepack\",\"version\":1}\u001e"u8.ToArray(), WebSocketMessageType.Text, true,
                    default);
                var bytes = new byte[random.Next(1, 300)];
                random.NextBytes(bytes);
                bytes[0] = (byte)(bytes.Length - 1);
                await socket.SendAsync(bytes, WebSocketMessageType.Binary, true, default);
                return null;
            });
        await ledger.TryAsync(part, "a picture afterwards", async () =>
        {
            await using var hub = await HubClient.ConnectAsync(studio.Address);
            await hub.InvokeAsync("Open", null, Good);
            await hub.InvokeAsync("Refresh");
            await hub.HearAsync("Frame");
            return null;
        });
    }

    private async Task NamesAsync()
    {
        const string part = "hosts and origins";
        foreach (var (host, headers, promised) in new[]
        {
            ("evil.example", "", 421), ("evil.example:80", "", 421), ("localhost.evil.example", "", 421),
            ("127.0.0.1.evil.example", "", 421),
            (_host, "X-Forwarded-Host: evil.example\r\n", 421), (_host, "Host: evil.example\r\n", 400), ("localhost@evil.example", "", 400),
            ("evil example", "", 400), (_host, "", 200), ("[::1]", "", 200), ("127.0.0.1", "", 200),
        })
            await ledger.TryAsync(part, $"{host} {headers.Trim()}", async () =>
                Complaint(await RawRequest.SendAsync(studio.Address, RawRequest.Of("GET", "/guide", host, headers)), promised));
        foreach (var target in new[]
        {
            "/hubs/paint/negotiate?negotiateVersion=1",
            "/_blazor/negotiate?negotiateVersion=1",
            "/api/v1/generate"
        })
            foreach (var origin in new[]
            {
                "https://evil.example",
                "null",
                $"https://{_host}",
                $"http://{_host}.evil.example",
                "file://",
                "x"
            })
                await ledger.TryAsync(part, $"{target} from {origin}", async () => Complaint(await RawRequest.SendAsync(studio.Address,
                    RawRequest.Of("POST", target, _host,
                        $"Origin: {origin}\r\nContent-Type: application/json\r\nContent-Length: 0\r\n")), 403));
    }

    private async Task MethodsAsync()
    {
        foreach (var target in new[]
        {
            "/",
            "/explore",
            "/guide",
            "/api/v1/generate",
            "/api/v1/models",
            "/s/x",
            "/healthz",
            "/css/base.css"
        })
            foreach (var method in new[] { "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "X", "G ET", "" })
                await ledger.TryAsync("methods", $"{method} {target}", async () => Complaint(
                    await RawRequest.SendAsync(studio.Address,
                        RawRequest.Of(method, target, _host, "Content-Length: 0\r\n")), 400, 404, 405, 421));
    }

    private async Task SizesAsync()
    {
        const string part = "sizes";
        foreach (var (what, request, promised) in new[]
        {
            ("a path of 20 KiB", RawRequest.Of("GET", "/" + new string('a', 20 * KiB), _host), new[] { 414 }),
            ("a header of 64 KiB", RawRequest.Of("GET", "/", _host, $"X-Long: {new string('a', 64 * KiB)}\r\n"), [431]),
            ("500 headers", RawRequest.Of("GET", "/", _host, string.Concat(Enumerable.Range(0, 500).Select(i => $"X-{i}: a\r\n"))), [431]),
            ("a body of 1 TB announced", Post($"Content-Length: {1L << 40}\r\n", ""), [413]),
            ("a body of a negative size", Post("Content-Length: -1\r\n", ""), [400]),
            ("two sizes", Post("Content-Length: 1\r\nContent-Length: 2\r\n", "{}"), [400]),
            ("a size and pieces", Post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), [400]),
            ("pieces of no size", Post("Transfer-Encoding: chunked\r\n", "zz\r\n"), [400]),
            ("pieces of 9 MiB", Post("Transfer-Encoding: chunked\r\n", Pieces(9 * MiB)), [413, 400, 0]),
            ("a recipe of 3 MiB", Post($"Content-Length: {3 * MiB}\r\n", new string(' ', 3 * MiB)), [400]),
        })
            await ledger.TryAsync(part, what, async () => Complaint(await RawRequest.SendAsync(studio.Address, request), promised));
        await ledger.TryAsync(part, "a message of 5 MiB", async () =>
        {
            await using var hub = await HubClient.ConnectAsync(studio.Address);
            try
            {
                await hub.SendAsync(new string(' ', 5 * MiB));
            }
            catch (WebSocketException)
            {
                return null;
            }
            return await hub.IsClosedAsync() ? null : "the connection stays open";
        });

        string Post(string headers, string body) =>
            RawRequest.Of("POST", "/api/v1/generate", _host, $"Content-Type: application/json\r\n{headers}") + body;

        static string Pieces(int bytes) =>
            string.Concat(Enumerable.Repeat($"10000\r\n{new string(' ', 1 << 16)}\r\n", bytes >> 16)) + "0\r\n\r\n";
    }

    private async Task<(int Status, string Answer)> PostAsync(string door, string body, string type = "application/json")
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", type);
        using var answer = await studio.Client.PostAsync($"/api/v1/{door}", content);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync());
    }

    /// <summary>What is wrong with an answer; null for nothing.</summary>
    /// <param name="promised">The statuses that may come; none for all but those of a broken server.</param>
    private static string? Complaint((int Status, string Answer) got, params int[] promised)
    {
        foreach (var secret in new[] { "   at SaeUnbox.", "   at System.", "   at Microsoft.", "root:x:0", "\"Serilog\"", "\nMZ" })
            if (got.Answer.Contains(secret, StringComparison.Ordinal))
                return $"the answer {got.Status} contains '{secret.Trim()}'";
        var isPromised = promised.Length > 0 ? promised.Contains(got.Status) : got.Status is >= 200 and < 500;
        return isPromised ? null : $"the answer is {got.Status} in place of {string.Join(" or ", promised)}: {Short(got.Answer)}";
    }

    // Changes, drops, repeats or replaces parts of a text, one to three times.
    private string Mutated(string text)
    {
        for (var times = random.Next(1, 4); times > 0; times--)
        {
            var at = random.Next(text.Length);
            var length = Math.Min(random.Next(1, 20), text.Length - at);
            text = random.Next(5) switch
            {
                0 => text[..at] + (char)random.Next(1, 256) + text[(at + 1)..],
                1 => text[..at] + text[(at + length)..],
                2 => text[..at] + string.Concat(Enumerable.Repeat(text.Substring(at, length), random.Next(2, 50))) + text[(at + length)..],
                3 => text[..at] + Values[random.Next(Values.Length)] + text[(at + length)..],
                _ => WithOtherNumber(text),
            };
            if (text.Length == 0)
                return "x";
        }
        return text;
    }

    private string WithOtherNumber(string text)
    {
        var digits = Enumerable.Range(0, text.Length).Where(i => char.IsAsciiDigit(text[i])).ToArray();
        return digits.Length == 0 ? text
            : text.Remove(digits[0], 1).Insert(digits[random.Next(digits.Length)] is var at && at < text.Length ? at : 0,
                random.NextInt64().ToString(CultureInfo.InvariantCulture));
    }

    private static float[] Half()
    {
        var cells = new float[16 * 16];
        cells.AsSpan(cells.Length / 2).Fill(1);
        return cells;
    }

    private static string Escaped(string text) => Uri.EscapeDataString(text);

    private static string Short(string text) => text.Length > 200 ? $"{text[..200]}... ({text.Length} characters)" : text;
}
