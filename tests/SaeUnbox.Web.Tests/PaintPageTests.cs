using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class PaintPageTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task Stroke_WithTheMouse_ChangesThePictureInsideMoreThanOutside()
    {
        var page = await OpenAsync();
        await PickAsync(page);
        var before = await page.PixelsAsync();
        var entries = await page.Locator(".history li").CountAsync();

        await page.StrokeAsync((.2, .7), (.5, .75), (.8, .7), (.5, .65));
        await page.HistoryAsync(entries + 1);

        var after = await page.PixelsAsync();
        var inside = StudioPage.Change(before, after, (x, y) => x is > .25 and < .75 && y is > .66 and < .76);
        var outside = StudioPage.Change(before, after, (_, y) => y < .4);
        Assert.True(inside > 3 * outside && inside > 2, $"inside {inside}, outside {outside}");
    }

    [Fact]
    public async Task Undo_AfterAStroke_RestoresThePicture()
    {
        var page = await OpenAsync();
        await PickAsync(page);
        var before = await page.PixelsAsync();
        var entries = await page.Locator(".history li").CountAsync();
        await page.StrokeAsync((.2, .8), (.8, .8));
        await page.HistoryAsync(entries + 1);
        Assert.NotEqual(before, await page.PixelsAsync());

        await page.GetByRole(AriaRole.Button, new() { Name = "Undo", Exact = true }).ClickAsync();
        await page.ShownAsync(entries);
        Assert.Equal(before, await page.PixelsAsync());

        await page.GetByRole(AriaRole.Button, new() { Name = "Redo", Exact = true }).ClickAsync();
        await page.ShownAsync(entries + 1);
        Assert.NotEqual(before, await page.PixelsAsync());
    }

    [Fact]
    public async Task Keyboard_WalksAndPaintsCells()
    {
        var page = await OpenAsync();
        await PickAsync(page);
        var before = await page.PixelsAsync();
        var entries = await page.Locator(".history li").CountAsync();

        await page.Locator(".overlay").FocusAsync();
        foreach (var key in new[] { "ArrowDown", "ArrowDown", "Space", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowDown" })
            await page.Keyboard.PressAsync(key);
        await page.HistoryAsync(entries + 1);

        Assert.Contains("painted 100 %", await page.Locator("[data-cell]").TextContentAsync());
        await page.WaitForFunctionAsync("() => sessionStorage.getItem('saeunbox.pending') === null");
        Assert.NotEqual(before, await page.PixelsAsync());
    }

    [Fact]
    public async Task Layers_SecondSwitchedOff_LeavesThePicture()
    {
        var house = new Recipe
        {
            Model = "unbox-mini",
            Prompt = "a red house in a meadow",
            Width = 512,
            Height = 512,
            Edits = [new(Site.Composition, 62, 8)],
        };
        var one = await OpenPixelsAsync(house);
        var page = await browser.OpenAsync(studio, $"/#r={(house with { Edits = [.. house.Edits, new(Site.Style, 421, 8)] }).ToLink()}");
        await page.PictureAsync();
        Assert.NotEqual(one, await page.PixelsAsync());

        await page.Locator("[data-layer='1']").Locator(".corner").ClickAsync();
        await page.HistoryAsync(2);

        Assert.Equal(one, await page.PixelsAsync());

        async Task<byte[]> OpenPixelsAsync(Recipe recipe)
        {
            var other = await browser.OpenAsync(studio, $"/#r={recipe.ToLink()}");
            await other.PictureAsync();
            return await other.PixelsAsync();
        }
    }

    [Fact]
    public async Task Link_InAFreshBrowser_GivesTheSamePixels()
    {
        var page = await OpenAsync();
        await PickAsync(page);
        await page.StrokeAsync((.3, .6), (.7, .9));
        await page.HistoryAsync(2);
        var link = Recipe.FromJson(await page.EvaluateAsync<string>("() => localStorage.getItem('saeunbox.draft')")).ToLink();

        var other = await browser.OpenAsync(studio, $"/#r={link}");
        await other.PictureAsync();

        Assert.Equal(await page.PixelsAsync(), await other.PixelsAsync());
        Assert.Equal(1, await other.Locator(".layer").CountAsync());
    }

    [Fact]
    public async Task Link_Broken_SaysSoAndKeepsTheDraft()
    {
        var page = await browser.OpenAsync(studio,
            $"/#r={new Recipe { Model = "unbox-mini", Prompt = "a cat on sand", Width = 512, Height = 512 }.ToLink()}");
        await page.PictureAsync();
        var other = await page.Context.NewPageAsync();

        await other.GotoAsync("/#r=AAAA");
        await other.PictureAsync();

        Assert.Contains("This link cannot be read: a part of it is missing", await other.GetByRole(AriaRole.Alert).TextContentAsync());
        Assert.Equal("a cat on sand", await other.Locator("#prompt").InputValueAsync());
    }

    [Fact]
    public async Task Reload_AfterPainting_KeepsTheDraft()
    {
        var page = await OpenAsync();
        await page.Locator("#prompt").FillAsync("a snowman on snow at night");
        await page.GetByRole(AriaRole.Button, new() { Name = "Generate" }).ClickAsync();
        await page.HistoryAsync(2);
        await PickAsync(page);
        await page.WaitForFunctionAsync("() => JSON.parse(localStorage.getItem('saeunbox.draft')).edits?.length === 1");
        var job = await page.EvaluateAsync<string>("() => localStorage.getItem('saeunbox.job')");

        await page.ReloadAsync();
        await page.PictureAsync();

        Assert.Equal("a snowman on snow at night", await page.Locator("#prompt").InputValueAsync());
        Assert.Equal(1, await page.Locator(".layer").CountAsync());
        // The earlier picture is shown again without a new job.
        Assert.Equal(job, await page.EvaluateAsync<string>("() => localStorage.getItem('saeunbox.job')"));
        Assert.Single(studio.Output.Split('\n'), line => line.Contains($"Job {job} on", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Restart_PageOpen_RestoresItsDraft()
    {
        var page = await OpenAsync();
        await PickAsync(page);
        await page.StrokeAsync((.3, .6), (.7, .6));
        await page.HistoryAsync(2);
        var before = await page.PixelsAsync();
        Assert.Equal(0, await studio.StopAsync());
        // The browser stores a stroke while the server is down.
        await page.StrokeAsync((.3, .9), (.7, .9));

        await studio.StartAsync();
        await page.WaitForFunctionAsync("() => sessionStorage.getItem('saeunbox.pending') === null");
        // The page was reloaded, so its history is empty.
        await page.WaitForFunctionAsync("() => document.querySelector('.layer') && document.querySelectorAll('.history li').length === 1");

        var mask = Recipe.FromJson(await page.EvaluateAsync<string>("() => localStorage.getItem('saeunbox.draft')")).Edits.Single().Mask!;
        Assert.True(mask.Cells[(int)(.6 * mask.Rows) * mask.Columns + mask.Columns / 2] > .5f, "the stroke before the restart is lost");
        Assert.True(mask.Cells[(int)(.9 * mask.Rows) * mask.Columns + mask.Columns / 2] > .5f, "the stroke in between is lost");
        Assert.NotEqual(before, await page.PixelsAsync());
    }

    [Fact]
    public async Task Drop_SavedPng_RestoresItsRecipe()
    {
        var recipe = new Recipe { Model = "default", Prompt = "three cats by day", Seed = 5 };
        var answer = await studio.Client.PostAsync("/api/v1/generate",
            new StringContent("""{"prompt":"three cats by day","seed":5}""", System.Text.Encoding.UTF8, "application/json"));
        var file = Convert.ToBase64String(await answer.Content.ReadAsByteArrayAsync());
        var page = await OpenAsync();

        await page.EvaluateAsync("""
            text => {
                const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
                const data = new DataTransfer();
                data.items.add(new File([bytes], 'picture.png', { type: 'image/png' }));
                document.querySelector('.studio')
                    .dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
            }
            """, file);
        await page.WaitForFunctionAsync("prompt => document.querySelector('#prompt').value === prompt", recipe.Prompt);

        Assert.Equal("5", await page.Locator("#seed").InputValueAsync());
    }

    [Fact]
    public async Task Frames_OutOfOrder_AreNeverShown()
    {
        var page = await OpenAsync();

        var shown = await page.EvaluateAsync<long[]>("""
            async () => {
                const heard = {};
                globalThis.signalR = {
                    HttpTransportType: {}, LogLevel: {}, HubConnectionState: { Connected: 'Connected' },
                    protocols: { msgpack: { MessagePackHubProtocol: class { } } },
                    HubConnectionBuilder: class {
                        withUrl() { return this; }
                        withHubProtocol() { return this; }
                        withAutomaticReconnect() { return this; }
                        configureLogging() { return this; }
                        build() {
                            return {
                                on: (name, handle) => { heard[name] = handle; }, onreconnected() { }, start: async () => { },
                                invoke: async () => ({}),
                            };
                        }
                    },
                };
                const { connect } = await import('/js/paint-connection.js');
                const shown = [];
                await connect({
                    onFrame: frame => shown.push(frame.Version), onRecipe() { }, onChanged() { }, onStatus() { }, onPainted() { },
                    onIdle() { }, onError() { },
                });
                for (const Version of [1, 3, 2, 3, 5, 4, 6]) heard.Frame({ Version });
                return shown;
            }
            """);

        Assert.Equal([1, 3, 5, 6], shown);
    }

    [Fact]
    public async Task TwoBrowsers_AtOnce_PaintSeparately()
    {
        var pages = await Task.WhenAll(OpenAsync(), OpenAsync());
        foreach (var (i, page) in pages.Index())
        {
            await page.Locator("#prompt").FillAsync(i == 0 ? "a boat at sea" : "a cactus on sand");
            await page.GetByRole(AriaRole.Button, new() { Name = "Generate" }).ClickAsync();
        }
        foreach (var page in pages)
            await page.HistoryAsync(2);

        Assert.NotEqual(await pages[0].PixelsAsync(), await pages[1].PixelsAsync());
        Assert.Equal("a boat at sea", await pages[0].Locator("#prompt").InputValueAsync());
    }

    [Fact]
    public async Task Touch_OnAPhone_PaintsWithoutScrolling()
    {
        var page = await browser.OpenAsync(studio, "/", 390, 844, touch: true);
        await page.PictureAsync();
        await PickAsync(page);
        await page.Locator(".overlay").ScrollIntoViewIfNeededAsync();
        var entries = await page.Locator(".history li").CountAsync();
        var before = await page.PixelsAsync();
        var top = await page.EvaluateAsync<double>("() => scrollY");

        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        var session = await page.Context.NewCDPSessionAsync(page);
        for (var i = 0; i <= 10; i++)
            await session.SendAsync("Input.dispatchTouchEvent", new()
            {
                ["type"] = i == 0 ? "touchStart" : "touchMove",
                ["touchPoints"] = new[] { new { x = box.X + box.Width * .5, y = box.Y + box.Height * (.9 - .05 * i) } },
            });
        await session.SendAsync("Input.dispatchTouchEvent", new() { ["type"] = "touchEnd", ["touchPoints"] = Array.Empty<object>() });
        await page.HistoryAsync(entries + 1);

        Assert.Equal(top, await page.EvaluateAsync<double>("() => scrollY"));
        Assert.NotEqual(before, await page.PixelsAsync());
        Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"));
    }

    [Fact]
    public async Task Clicks_InOneCircuit_AreHeldToTheSameLimit()
    {
        await using var strict = await Studio.OfAsync("--SaeUnbox:Canvases:Burst=6", "--SaeUnbox:Canvases:RequestsPerSecond=1");
        var page = await browser.OpenAsync(strict);
        await page.PictureAsync();

        // Clicks go through the page's circuit, not through the hub or the API.
        await page.EvaluateAsync(
            """
            () => {
                const button = document.querySelector('[aria-label="Another seed"]');
                for (let i = 0; i < 20; i++) button.click();
            }
            """);

        await page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "Too many requests" }).WaitForAsync();
        Assert.Contains("try again in", await page.GetByRole(AriaRole.Alert).TextContentAsync());
    }

    private async Task<IPage> OpenAsync()
    {
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        return page;
    }

    // Makes the picture's strongest feature a layer.
    private static async Task PickAsync(IPage page, int which = 0)
    {
        var layers = await page.Locator(".layer").CountAsync();
        await page.ChangePictureAsync(() => page.Locator(".right .row .pick").Nth(which).ClickAsync());
        await page.WaitForFunctionAsync("count => document.querySelectorAll('.layer').length > count", layers);
    }
}
