using System.Diagnostics;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Pages that exceed their limits, and a page that is closed while its picture is made.</summary>
public sealed class PageLimitTests(Browser browser) : IClassFixture<Browser>
{
    private static readonly Recipe Boat = new()
    {
        Model = "unbox-mini",
        Prompt = "a boat at sea",
        Width = 512,
        Height = 512,
        Edits = [new FeatureEdit(Site.Composition, 1, 20) { Mask = BrushMask.FromCells(16, 16, new float[256]) }]
    };

    [Fact]
    public async Task Stroke_OverTheRateLimit_ArrivesLater()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Burst=4", "--SaeUnbox:Canvases:RequestsPerSecond=1");
        var page = await browser.OpenAsync(studio, $"/#r={Boat.ToLink()}");
        await page.PictureAsync();
        await page.EvaluateAsync(
            """
            () => {
                const button = document.querySelector('[aria-label="Another seed"]');
                for (let i = 0; i < 20; i++) button.click();
            }
            """);
        await AlertAsync(page, "Too many requests");

        await page.StrokeAsync((.3, .8), (.7, .8));

        await page.WaitForFunctionAsync("() => sessionStorage.getItem('saeunbox.pending') === null");
        Assert.False(Recipe.FromJson(
            await page.EvaluateAsync<string>("() => sessionStorage.getItem('saeunbox.draft')")).Edits.Single().Mask!.IsBlank);
    }

    [Fact]
    public async Task Open_OverTheRateLimit_KeepsTheDraftAndRetries()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Burst=1", "--SaeUnbox:Canvases:RequestsPerSecond=1");
        var page = await browser.OpenAsync(studio, $"/#r={Boat.ToLink()}");
        await page.PictureAsync();
        var neighbour = await page.Context.NewPageAsync();
        await neighbour.GotoAsync("/healthz");
        await neighbour.EvaluateAsync(
            "() => { setInterval(() => fetch('/api/v1/generate', { method: 'POST', headers: { 'content-type': 'application/json' }, body: "
            + "'{}' }), 40); }");

        await page.ReloadAsync();
        await AlertAsync(page, "your draft is kept");
        await neighbour.CloseAsync();
        await page.PictureAsync();

        Assert.Equal(Boat, Recipe.FromJson(await page.EvaluateAsync<string>("() => sessionStorage.getItem('saeunbox.draft')")));
        Assert.Equal(1, await page.Locator(".layer").CountAsync());
    }

    [Fact]
    public async Task Open_LinkTooLong_SaysSoOnTheConnectionsThatStand()
    {
        await using var studio = await Studio.OfAsync();
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        var sockets = 0;
        page.WebSocket += (_, _) => sockets++;

        await page.EvaluateAsync("() => { location.hash = 'r=' + 'A'.repeat(1_500_000); }");
        await AlertAsync(page, "This link cannot be read");
        await page.GetByRole(AriaRole.Button, new() { Name = "Another seed" }).ClickAsync();
        await page.HistoryAsync(2);

        Assert.Equal(0, sockets);
    }

    [Fact]
    public async Task Open_DraftTooLong_StartsAnewAndConnectsOnce()
    {
        await using var studio = await Studio.OfAsync();
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        await page.EvaluateAsync(
            "() => sessionStorage.setItem('saeunbox.draft', JSON.stringify({ prompt: 'a'.repeat(3_000_000) }))");
        await page.EvaluateAsync("() => sessionStorage.removeItem('saeunbox.canvas')");
        var sockets = new List<IWebSocket>();
        page.WebSocket += (_, socket) => sockets.Add(socket);

        await page.ReloadAsync();
        await page.PictureAsync();

        // One of the page and one of its hub.
        Assert.Equal(2, sockets.Count);
        Assert.DoesNotContain(sockets, socket => socket.IsClosed);
    }

    [Fact]
    public async Task Close_DuringAPicture_CancelsIt()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Canvases:Steps=1000");
        var page = await browser.OpenAsync(studio, $"/#r={(Boat with { Steps = 1000 }).ToLink()}");
        await page.WaitForSelectorAsync(".progress.known");
        // Progress and the draft's job arrive over different connections.
        var job = await (await page.WaitForFunctionAsync("() => sessionStorage.getItem('saeunbox.job')")).JsonValueAsync<string>();

        await page.CloseAsync();

        var clock = Stopwatch.StartNew();
        while (!studio.Output.Contains($"Job {job} ", StringComparison.Ordinal))
        {
            Assert.True(clock.Elapsed < Studio.Patience, studio.Output);
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
        Assert.Contains($"Job {job} ended as Cancelled", studio.Output);
    }

    private static Task AlertAsync(IPage page, string words) =>
        page.GetByRole(AriaRole.Alert).Filter(new() { HasText = words }).WaitForAsync();
}
