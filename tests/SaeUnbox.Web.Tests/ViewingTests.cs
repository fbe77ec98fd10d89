using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed partial class ViewingTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task Slider_PointerOrKeys_MovesTheDividerWithoutPainting()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.Button("Compare").ClickAsync();
        var divider = page.GetByRole(AriaRole.Slider, new() { NameRegex = Divider() });
        await divider.WaitForAsync();

        await page.StrokeAsync((.5, .5), (.25, .5));
        await AtAsync("25");
        await divider.FocusAsync();
        foreach (var key in new[] { "ArrowRight", "Shift+ArrowRight", "Space", "Enter" })
            await page.Keyboard.PressAsync(key);
        await AtAsync("37");
        await page.Keyboard.PressAsync("Home");
        await AtAsync("0");

        Assert.True(await page.IsBlankAsync());
        await page.Button("Compare").ClickAsync();
        await page.GetByRole(AriaRole.Application).WaitForAsync();
        Assert.Null(await page.Locator(".overlay").GetAttributeAsync("aria-valuenow"));

        // The picture without edits is left of the divider.
        async Task AtAsync(string percent) => await page.WaitForFunctionAsync("""
            percent => document.querySelector('.overlay').ariaValueNow === percent
                && Math.round(100 - parseFloat(/inset\(0px (\S+)%/.exec(document.querySelector('.before').style.clipPath)?.[1] ?? '100'))
                    === +percent
            """, percent);
    }

    [Fact]
    public async Task Hold_Key_ShowsThePictureBeforeUntilReleased()
    {
        var page = await browser.OpenLayerAsync(studio);
        var plain = await page.PixelsAsync();
        await page.Button("Paint everywhere").ClickAsync();
        await page.HistoryAsync(2);

        await page.Locator(".overlay").FocusAsync();
        await page.Keyboard.DownAsync("c");
        await page.Locator(".studio[data-held]").WaitForAsync();
        Assert.Equal("visible", await page.EvaluateAsync<string>("() => getComputedStyle(document.querySelector('.before')).visibility"));
        // The API returns the exact picture and the hub a JPEG, so they are nearly equal.
        var before = await page.PixelsAsync(".before");
        Assert.True(StudioPage.Change(plain, before, (_, _) => true) < 4, "the picture before is another one");
        await page.Keyboard.UpAsync("c");
        await page.Locator(".studio:not([data-held])").WaitForAsync();
    }

    [Fact]
    public async Task Hold_ReleasedEarly_ShowsTheCurrentPicture()
    {
        var page = await browser.OpenLayerAsync(studio);
        var (asked, release) = (new TaskCompletionSource(), new TaskCompletionSource());
        await page.RouteAsync("**/api/v1/generate", async route =>
        {
            asked.SetResult();
            await release.Task;
            await route.ContinueAsync();
        });

        await page.Locator(".overlay").FocusAsync();
        await page.Keyboard.DownAsync("c");
        await asked.Task;
        await page.Keyboard.UpAsync("c");
        release.SetResult();
        await page.WaitForFunctionAsync("() => document.querySelector('.before').width === document.querySelector('.picture').width");

        Assert.Null(await page.Locator(".studio").GetAttributeAsync("data-held"));
    }

    [Fact]
    public async Task Difference_Chosen_ShowsTheChangeAndItsShareOutside()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.StrokeAsync((.2, .8), (.8, .8));
        await page.HistoryAsync(2);
        var place = await BoxAsync();

        await page.Button("Difference").ClickAsync();
        await page.Locator(".leak").Filter(new() { HasText = "% of the change lies outside the masks" }).WaitForAsync();
        Assert.Equal(place, await BoxAsync());
        var shown = await page.PixelsAsync(".difference");
        var blank = new byte[shown.Length];
        var (inside, outside) =
            (StudioPage.Change(blank, shown, (_, y) => y is > .7 and < .9), StudioPage.Change(blank, shown, (_, y) => y < .4));
        Assert.True(inside > 2 * outside, $"inside {inside}, outside {outside}");

        await page.Button("Difference").ClickAsync();
        await page.Locator(".leak").Filter(new() { HasNotText = "%" }).WaitForAsync(new() { State = WaitForSelectorState.Attached });

        Task<string> BoxAsync() =>
            page.EvaluateAsync<string>("() => JSON.stringify(document.querySelector('.overlay').getBoundingClientRect())");
    }

    [Fact]
    public async Task Zoom_ByButtonsOrDrag_PaintsUnderThePointer()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.SetBrushAsync("Size", "32");
        var before = (await page.Locator(".frame").BoundingBoxAsync())!;
        foreach (var _ in Enumerable.Range(0, 4))
            await page.Button("Zoom in").ClickAsync();
        await page.WaitForFunctionAsync("width => document.querySelector('.frame').offsetWidth > 2.2 * width", (int)before.Width);

        var (from, stage) = ((await page.Locator(".frame").BoundingBoxAsync())!, (await page.Locator(".stage").BoundingBoxAsync())!);
        var (x, y) = (stage.X + stage.Width / 2, stage.Y + stage.Height / 2);
        await page.Mouse.MoveAsync(x, y);
        await page.Mouse.DownAsync(new() { Button = MouseButton.Middle });
        await page.Mouse.MoveAsync(x - 60, y - 40, new() { Steps = 4 });
        await page.Mouse.UpAsync(new() { Button = MouseButton.Middle });
        var to = (await page.Locator(".frame").BoundingBoxAsync())!;
        Assert.Equal((-60, -40), (Math.Round(to.X - from.X), Math.Round(to.Y - from.Y)));
        Assert.True(await page.IsBlankAsync(), "the middle button painted");

        await page.Mouse.ClickAsync(x, y);
        var place = ((x - to.X) / to.Width, (y - to.Y) / to.Height);
        await page.MaskWhereAsync(PaintedMask.At(place));
    }

    [Fact]
    public async Task Keys_InAZoomedPicture_KeepTheCellInView()
    {
        var page = await browser.OpenLayerAsync(studio);
        foreach (var _ in Enumerable.Range(0, 5))
            await page.Button("Zoom in").ClickAsync();
        await page.Locator(".overlay").FocusAsync();
        foreach (var _ in Enumerable.Range(0, 40))
            await page.Keyboard.PressAsync("ArrowDown");
        await page.Keyboard.PressAsync("Space");

        await page.WaitForFunctionAsync("""
            () => {
                const mark = document.querySelector('.mark').getBoundingClientRect(),
                    stage = document.querySelector('.stage').getBoundingClientRect();
                return mark.top < stage.bottom && mark.bottom > stage.top + stage.height / 2;
            }
            """);
        await page.MaskWhereAsync("mask => mask.cells[(mask.rows - 1) * mask.columns + (mask.columns >> 1)] === 255");
    }

    [Fact]
    public async Task TwoFingers_OnThePicture_EnlargeItAndPaintNothing()
    {
        var page = await browser.OpenLayerAsync(studio, "/", 390, 844, touch: true);
        await page.Locator(".overlay").ScrollIntoViewIfNeededAsync();
        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        var session = await page.Context.NewCDPSessionAsync(page);

        await TouchAsync("touchStart", .4);
        await TouchAsync("touchStart", .4, .6);
        for (var i = 1; i <= 5; i++)
            await TouchAsync("touchMove", .4 - .05 * i, .6 + .05 * i);
        // The remaining finger does not paint.
        await TouchAsync("touchEnd", .15);
        await TouchAsync("touchMove", .5);
        await TouchAsync("touchEnd");

        Assert.True((await page.Locator(".frame").BoundingBoxAsync())!.Width > 2 * box.Width);
        await page.MaskWhereAsync("mask => mask.cells.every(cell => cell === 0)");

        // A single finger paints, and the features under it are listed.
        await TouchAsync("touchStart", .5);
        await TouchAsync("touchEnd");
        await page.MaskWhereAsync("mask => mask.cells.some(cell => cell > 127)");
        await page.GetByRole(AriaRole.Heading, new() { Name = "Under the brush" })
            .WaitForAsync(new() { State = WaitForSelectorState.Attached });

        Task TouchAsync(string type, params double[] across) => session.SendAsync("Input.dispatchTouchEvent", new()
        {
            ["type"] = type,
            ["touchPoints"] = across.Select((x, i) => new { x = box.X + box.Width * x, y = box.Y + box.Height * .5, id = i }).ToArray(),
        });
    }

    [Fact]
    public async Task Message_Appearing_DoesNotMoveThePicture()
    {
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        var before = (await page.Locator(".frame").BoundingBoxAsync())!;

        await page.StrokeAsync((.5, .5)); // no layer to paint on
        await page.GetByRole(AriaRole.Alert).WaitForAsync();

        var after = (await page.Locator(".frame").BoundingBoxAsync())!;
        Assert.Equal((before.X, before.Y, before.Width, before.Height), (after.X, after.Y, after.Width, after.Height));
    }

    [Fact]
    public async Task Pictures_DecodedOutOfOrder_LeaveTheNewestShown()
    {
        var page = await browser.OpenLayerAsync(studio);
        var blank = await page.PixelsAsync();
        await page.EvaluateAsync("""
            () => {
                const decode = createImageBitmap, held = {};
                Object.assign(globalThis, { shown: [], isHeld: false, letGo: () => held.letGo() });
                document.addEventListener('saeunbox:frame', event => shown.push(event.detail.version), true);
                globalThis.createImageBitmap = async blob => {
                    const isFirst = !isHeld;
                    isHeld = true;
                    const bitmap = await decode(blob);
                    if (isFirst) await new Promise(resolve => { held.letGo = resolve; });
                    return bitmap;
                };
            }
            """);

        await page.Button("Paint everywhere").ClickAsync();
        await page.WaitForFunctionAsync("() => isHeld");
        await page.Button("Clear the mask").ClickAsync();
        await page.WaitForFunctionAsync("() => shown.length === 1");
        await page.EvaluateAsync("() => letGo()");

        // The answer to a later message shows that the earlier one has been handled.
        Assert.Equal(1,
            await page.EvaluateAsync<int>("async () => { await new Promise(resolve => setTimeout(resolve)); return shown.length; }"));
        Assert.Equal(blank, await page.PixelsAsync());
    }

    [Fact]
    public async Task Page_BeforeItsCircuit_ShowsTheRecipeItStartsWith()
    {
        var sent = await studio.Client.GetStringAsync("/");
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();

        Assert.Contains($"value=\"{await page.Locator("#seed").InputValueAsync()}\"", SeedField().Match(sent).Value);
    }

    [GeneratedRegex("^Divider")]
    private static partial Regex Divider();

    [GeneratedRegex("<input id=\"seed\"[^>]*>")]
    private static partial Regex SeedField();
}
