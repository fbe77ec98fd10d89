using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>
/// Measures how long a person waits for the page, with the browser and the server on one machine (tests/bench-page.sh). A stroke's time
/// runs
/// from the pointer's move to the first picture that contains it.
/// </summary>
public sealed class PageBenchmark(Browser browser, ITestOutputHelper output) : IClassFixture<Browser>
{
    private static readonly TimeSpan Painting = TimeSpan.FromSeconds(10), BetweenMoves = TimeSpan.FromMilliseconds(16);
    private const int LoneEdits = 30, MovesOfARound = 80;

    [Fact(Explicit = true)]
    public async Task Page_ShippedModel_IsTimed()
    {
        var clock = Stopwatch.StartNew();
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Burst=5000", "--SaeUnbox:Canvases:RequestsPerSecond=5000");
        var ready = clock.Elapsed;
        var (page, traffic) = await OpenAsync(studio);
        var firstPicture = clock.Elapsed;
        await page.Locator(".right .row .pick").First.WaitForAsync();
        await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        var weight = (traffic.Files, traffic.FileBytes);
        Print($"cold start: ready after {ready.TotalSeconds:0.0} s, first picture in the browser after {firstPicture.TotalSeconds:0.0} s");
        Print($"page weight: {weight.Files} files, {weight.FileBytes / 1024.0:0} KiB over the wire");

        await ChooseAsync(page);
        await LoneAsync(page, 3); // what runs for the first time is slower
        await page.EvaluateAsync("() => saeunboxBench.clear()");
        await LoneAsync(page, LoneEdits);
        // A click sends a stroke and its end. A person waits for the first picture.
        var lone = (await ReadAsync(page)).EverySecond();
        Print($"a lone click to its picture: p50 {lone.At(.5):0} ms, p95 {lone.At(.95):0} ms");

        traffic.Clear();
        var (server, chromium) = (studio.ProcessorMilliseconds, ProcessorTime.OfOffspring("chromium"));
        var one = await PaintAsync(page);
        (server, chromium) = (studio.ProcessorMilliseconds - server, ProcessorTime.OfOffspring("chromium") - chromium);
        Print($"painting: {one.Text}; p95 over a lone click's p50 {one.At(.95) / lone.At(.5):0.0}");
        Print($"processor time of a frame: server {server / one.Frames:0} ms, browser {chromium / one.Frames:0} ms");
        Print($"stages on the clock: {one.StagesText}");
        Print($"bytes: a stroke {traffic.PerStroke:0}, a frame {traffic.PerFrame:0}");

        IPage[] pages = [page, .. await Task.WhenAll(Enumerable.Range(0, 3).Select(async _ =>
        {
            var (other, _) = await OpenAsync(studio);
            await ChooseAsync(other);
            return other;
        }))];
        var all = await Task.WhenAll(pages.Select(PaintAsync));
        var four = new Painted([.. all.SelectMany(each => each.Milliseconds)], all.Average(each => each.Frames), Painting);
        Print($"painting on four canvases at once: {four.Text} (frames of each)");
        Assert.All(all, each => Assert.NotEmpty(each.Milliseconds));
    }

    private async Task<(IPage, Traffic)> OpenAsync(Studio studio)
    {
        var page = await browser.OpenAsync(studio, "about:blank", waitsForPage: false);
        var traffic = await Traffic.OfAsync(page);
        await page.AddInitScriptAsync("""
            globalThis.saeunboxBench = (() => {
                let strokes = [], times = [], frames = 0, newest = -1, newestAt = 0, stages = {};
                const settle = () => {
                    times.push(...strokes.filter(one => one.version <= newest).map(one => newestAt - one.at));
                    strokes = strokes.filter(one => one.version > newest);
                };
                document.addEventListener('saeunbox:painted', event => { strokes.push(event.detail); settle(); }, true);
                document.addEventListener('saeunbox:frame', event => {
                    newest = event.detail.version;
                    newestAt = performance.now();
                    frames++;
                    for (const [i, name] of event.detail.stages.entries())
                        stages[name] = (stages[name] ?? 0) + event.detail.milliseconds[i];
                    settle();
                }, true);
                return { clear() { times = []; frames = 0; stages = {}; }, read: () => JSON.stringify({ times, frames, stages }) };
            })();
            """);
        await page.GotoAsync(studio.Address.ToString());
        await page.WaitForSelectorAsync("main[data-live]");
        await page.PictureAsync();
        return (page, traffic);
    }

    private static async Task ChooseAsync(IPage page)
    {
        await page.Locator(".right .row .pick").First.ClickAsync();
        await page.Locator(".layer").WaitForAsync();
        await page.WaitForTimeoutAsync(1500);
    }

    private static async Task LoneAsync(IPage page, int count)
    {
        for (var i = 0; i < count; i++)
        {
            var place = (.1 + .8 * (i * .37 % 1), .5 + .45 * (i * .61 % 1));
            await page.StrokeAsync(place);
            await page.WaitForTimeoutAsync(700);
        }
    }

    // Round and round over the lower half, at the pace of a hand; a round takes away what the one before it painted, so that every move
    // changes it.
    private static async Task<Painted> PaintAsync(IPage page)
    {
        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        await page.EvaluateAsync("() => saeunboxBench.clear()");
        var clock = Stopwatch.StartNew();
        for (var erase = false; clock.Elapsed < Painting; erase = !erase)
        {
            await page.Keyboard.PressAsync(erase ? "e" : "b");
            // A mouse does not wait until the page has handled its last move.
            var moves = new List<Task>();
            for (var i = 0; i < MovesOfARound && clock.Elapsed < Painting; i++)
            {
                var (x, y) = (box.X
                    + box.Width * (.5
                        + .4 * Math.Cos(2 * Math.PI * i / MovesOfARound)), box.Y
                            + box.Height * (.7 + .2 * Math.Sin(2 * Math.PI * i / MovesOfARound)));
                var move = page.Mouse.MoveAsync((float)x, (float)y);
                if (i == 0)
                    await move;
                else
                    moves.Add(move);
                if (i == 0)
                    await page.Mouse.DownAsync();
                await Task.Delay(BetweenMoves);
            }
            await Task.WhenAll(moves);
            await page.Mouse.UpAsync();
        }
        await page.WaitForTimeoutAsync(1500);
        return await ReadAsync(page);
    }

    private static async Task<Painted> ReadAsync(IPage page)
    {
        var text = await page.EvaluateAsync<string>("() => saeunboxBench.read()");
        using var document = JsonDocument.Parse(text);
        var read = document.RootElement;
        return new([.. read.GetProperty("times").EnumerateArray().Select(time => time.GetDouble())],
            read.GetProperty("frames").GetDouble(), Painting)
        {
            Stages = read.GetProperty("stages").EnumerateObject().ToDictionary(stage => stage.Name, stage => stage.Value.GetDouble()),
        };
    }

    private void Print(FormattableString line)
    {
        output.WriteLine(line.ToString(CultureInfo.InvariantCulture));
        if (Environment.GetEnvironmentVariable("SAEUNBOX_BENCH") is { } file)
            File.AppendAllText(file, line.ToString(CultureInfo.InvariantCulture) + "\n");
    }

    private sealed record Painted(IReadOnlyList<double> Milliseconds, double Frames, TimeSpan Time)
    {
        public string Text => string.Create(
            CultureInfo.InvariantCulture,
            $"stroke to frame p50 {At(.5):0} ms, p95 {At(.95):0} ms, "
            + $"{Rate(Milliseconds.Count):0.0} strokes and {Rate(Frames):0.0} frames a second");

        /// <summary>Total milliseconds of each stage over all frames.</summary>
        public IReadOnlyDictionary<string, double> Stages { get; init; } = new Dictionary<string, double>();

        public string StagesText =>
            string.Join(", ", Stages.Select(stage => FormattableString.Invariant($"{stage.Key} {stage.Value / Frames:0}")));

        public Painted EverySecond() => this with { Milliseconds = [.. Milliseconds.Where((_, i) => i % 2 == 0)] };

        private double Rate(double count) => count / Time.TotalSeconds;

        public double At(double share) => Milliseconds.Order().ElementAt((int)(share * (Milliseconds.Count - 1)));
    }

    /// <summary>The transferred bytes, as the browser counts them.</summary>
    private sealed class Traffic
    {
        private long _strokes, _strokeBytes, _frames, _frameBytes;

        public int Files { get; private set; }

        public long FileBytes { get; private set; }

        public double PerStroke => (double)_strokeBytes / Math.Max(1, _strokes);

        public double PerFrame => (double)_frameBytes / Math.Max(1, _frames);

        public static async Task<Traffic> OfAsync(IPage page)
        {
            const int leastFrame = 2000; // a picture is larger than any other message
            var (traffic, session) = (new Traffic(), await page.Context.NewCDPSessionAsync(page));
            await session.SendAsync("Network.enable");
            session.Event("Network.loadingFinished").OnEvent += (_, message) =>
            {
                traffic.Files++;
                traffic.FileBytes += (long)message!.Value.GetProperty("encodedDataLength").GetDouble();
            };
            session.Event("Network.webSocketFrameSent").OnEvent += (_, message) => Count(message, (text, bytes) =>
            {
                if (text.AsSpan().IndexOf("Paint"u8) < 0)
                    return;
                traffic._strokes++;
                traffic._strokeBytes += bytes;
            });
            session.Event("Network.webSocketFrameReceived").OnEvent += (_, message) => Count(message, (text, bytes) =>
            {
                if (bytes < leastFrame || text.AsSpan().IndexOf("image/jpeg"u8) < 0)
                    return;
                traffic._frames++;
                traffic._frameBytes += bytes;
            });
            return traffic;
        }

        public void Clear() => (_strokes, _strokeBytes, _frames, _frameBytes) = (0, 0, 0, 0);

        private static void Count(JsonElement? message, Action<byte[], int> count)
        {
            var response = message!.Value.GetProperty("response");
            if (response.GetProperty("opcode").GetInt32() != 2)
                return;
            var bytes = Convert.FromBase64String(response.GetProperty("payloadData").GetString()!);
            count(bytes, bytes.Length);
        }
    }
}
