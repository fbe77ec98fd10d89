using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class BrushTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly TimeSpan OneWay = TimeSpan.FromMilliseconds(250);

    [Fact]
    public async Task Dabs_FasterThanTheConnection_AreAllKept()
    {
        await using var far = new FarStudio(studio, OneWay);
        var page = await browser.OpenLayerAsync(studio, far.Address.ToString());
        await page.SetBrushAsync("Size", "32");

        // The answer to each stroke arrives after the next stroke.
        (double X, double Y)[] places = [.. Enumerable.Range(0, 16).Select(i => ((1.5 + 4 * (i % 4)) / 16, (1.5 + 4 * (i / 4)) / 16))];
        foreach (var place in places)
            await page.StrokeAsync(place);

        var mask = await page.MaskWhereAsync(PaintedMask.At(places[^1]));
        Assert.All(places, place => Assert.True(mask.Value(place) > .5, $"the dab at {place} is lost"));
    }

    [Fact]
    public async Task Arrows_FasterThanTheConnection_PaintEveryCell()
    {
        await using var far = new FarStudio(studio, OneWay);
        var page = await browser.OpenLayerAsync(studio, far.Address.ToString());

        await page.Locator(".overlay").FocusAsync();
        // The first key goes to the middle; the others walk down in rows, left and right.
        string[] keys = ["Right", .. Row("Right", 3), "Down", .. Row("Left", 6), "Down", .. Row("Right", 6), "Down", .. Row("Left", 6)];
        await page.Keyboard.DownAsync("Shift");
        foreach (var key in keys)
            await page.Keyboard.PressAsync($"Arrow{key}", new() { Delay = 30 }); // as a held key repeats
        await page.Keyboard.UpAsync("Shift");

        await page.MaskWhereAsync($"mask => mask.cells.filter(cell => cell === 255).length === {keys.Length}");

        static IEnumerable<string> Row(string key, int count) => Enumerable.Repeat(key, count);
    }

    [Fact]
    public async Task Undo_SlowConnection_UndoesTheStroke()
    {
        await using var far = new FarStudio(studio, OneWay);
        var page = await browser.OpenLayerAsync(studio, far.Address.ToString());
        await page.StrokeAsync((.2, .8), (.8, .8));
        await page.MaskWhereAsync(PaintedMask.At((.5, .8)));

        await page.Button("Undo").ClickAsync();
        await page.MaskWhereAsync("mask => mask.cells.every(cell => cell === 0)");

        // The next stroke starts from the mask after the undo.
        await page.StrokeAsync((.2, .3), (.8, .3));
        var mask = await page.MaskWhereAsync(PaintedMask.At((.5, .3)));
        Assert.Equal(0, mask.Value((.5, .8)));
    }

    [Fact]
    public async Task Restart_DuringAStroke_KeepsTheWholeStroke()
    {
        await using var own = await Studio.OfAsync();
        var page = await browser.OpenLayerAsync(own);
        await page.SetBrushAsync("Size", "32");
        await page.EvaluateAsync("() => { globalThis.isBeforeRestart = true; }");

        await page.MoveAsync(.2, .8);
        await page.Mouse.DownAsync();
        await page.MoveAsync(.4, .8);
        Assert.Equal(0, await own.StopAsync());
        await page.MoveAsync(.6, .8);
        await own.StartAsync();
        await page.Locator(".components-reconnect-rejected").WaitForAsync(new() { State = WaitForSelectorState.Attached });
        await page.MoveAsync(.8, .8);
        await page.Mouse.UpAsync();

        // The page loads itself again, and its history starts anew.
        await page.WaitForFunctionAsync("""
            () => !globalThis.isBeforeRestart && document.querySelector('main[data-live] .layer')
                && document.querySelectorAll('.history li').length === 1
            """);
        var mask = await page.MaskWhereAsync(PaintedMask.At((.8, .8)));
        Assert.All([.2, .3, .5, .7, .8], x => Assert.True(mask.Value((x, .8)) > .5, $"the stroke at {x} is lost"));
    }

    [Fact]
    public async Task Reload_WhileThePointerIsDown_KeepsTheStrokeSoFar()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.SetBrushAsync("Size", "32");
        await page.MoveAsync(.2, .8);
        await page.Mouse.DownAsync();
        await page.MoveAsync(.6, .8);

        await page.ReloadAsync();
        await page.PictureAsync();

        var mask = await page.MaskWhereAsync(PaintedMask.At((.4, .8)));
        Assert.True(mask.Value((.2, .8)) > .5);
    }

    [Fact]
    public async Task Eraser_OverAStroke_TakesAwayWhatItTouches()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.StrokeAsync((.2, .8), (.8, .8));
        await page.MaskWhereAsync(PaintedMask.At((.5, .8)));

        await page.Keyboard.PressAsync("e");
        await page.Locator(".studio[data-tool='eraser']").WaitForAsync();
        await page.StrokeAsync((.65, .8), (.9, .8));

        var mask = await page.MaskWhereAsync("mask => mask.cells.some(cell => cell > 0) && !(" + PaintedMask.At((.8, .8)) + ")(mask)");
        Assert.True(mask.Value((.25, .8)) > .5);
    }

    [Fact]
    public async Task InvertAndClear_AfterAStroke_ChangeEveryCell()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.StrokeAsync((.2, .8), (.8, .8));
        var painted = await page.MaskWhereAsync(PaintedMask.At((.5, .8)));

        await page.Button("Invert the mask").ClickAsync();
        var inverted = await page.MaskWhereAsync(PaintedMask.At((.5, .2)));
        Assert.Equal(painted.Cells.ToArray().Select(cell => 1 - cell), inverted.Cells.ToArray(),
            (one, other) => Math.Abs(one - other) < .01);

        await page.Button("Clear the mask").ClickAsync();
        await page.MaskWhereAsync("mask => mask.cells.every(cell => cell === 0)");
    }

    [Fact]
    public async Task Brackets_WhereNoTextIsTyped_SizeTheBrush()
    {
        var page = await browser.OpenLayerAsync(studio);
        Task SizeAsync(string size) =>
            page.WaitForFunctionAsync("size => document.querySelector('.left output').textContent === size", size);
        await SizeAsync("128");
        await page.StrokeAsync((.5, .5));
        var before = await page.MaskWhereAsync(PaintedMask.At((.53, .53)));

        await page.Keyboard.PressAsync("]");
        await SizeAsync("160");
        await page.Locator("#prompt").FocusAsync();
        await page.Keyboard.PressAsync("]");
        await page.GetByLabel("Size").FocusAsync();
        await page.Keyboard.PressAsync("]");
        await SizeAsync("200");
        await page.StrokeAsync((.5, .5));
        var larger =
            await page.MaskWhereAsync($"mask => mask.cells.reduce((sum, cell) => sum + cell, 0) > {(int)(255 * before.Sum()) + 100}");
        Assert.Equal(1, larger.Value((.53, .53)));

        await page.Keyboard.PressAsync("[");
        await SizeAsync("160");
    }

    [Fact]
    public async Task Hardness_OfADab_ControlsItsEdge()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.SetBrushAsync("Size", "384");
        await page.SetBrushAsync("Hardness", "0");
        await page.StrokeAsync((.5, .5));
        var soft = await page.MaskWhereAsync(PaintedMask.At((.53, .53)));
        await page.Button("Clear the mask").ClickAsync();
        await page.MaskWhereAsync("mask => mask.cells.every(cell => cell === 0)");

        await page.SetBrushAsync("Hardness", "1");
        await page.StrokeAsync((.5, .5));
        var hard = await page.MaskWhereAsync(PaintedMask.At((.53, .53)));

        Assert.True(hard.Sum() > 1.3 * soft.Sum(), $"hard {hard.Sum()}, soft {soft.Sum()}");
        Assert.True(Between(hard) < Between(soft), "a hard edge fades over fewer cells");

        static int Between(BrushMask mask) => mask.Cells.ToArray().Count(cell => cell is > .05f and < .95f);
    }

    [Fact]
    public async Task Pen_PressedHarder_PaintsWider()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.SetBrushAsync("Size", "256");

        await PressAsync(.05);
        var light = await page.MaskWhereAsync(PaintedMask.At((.53, .53)));
        await PressAsync(1);
        var heavy =
            await page.MaskWhereAsync($"mask => mask.cells.reduce((sum, cell) => sum + cell, 0) > {(int)(255 * light.Sum()) + 100}");

        Assert.True(heavy.Sum() > 2 * light.Sum(), $"heavy {heavy.Sum()}, light {light.Sum()}");

        async Task PressAsync(double force)
        {
            var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
            var session = await page.Context.NewCDPSessionAsync(page);
            foreach (var type in new[] { "mousePressed", "mouseReleased" })
                await session.SendAsync("Input.dispatchMouseEvent", new()
                {
                    ["type"] = type,
                    ["x"] = box.X + box.Width / 2,
                    ["y"] = box.Y + box.Height / 2,
                    ["button"] = "left",
                    ["clickCount"] = 1,
                    ["pointerType"] = "pen",
                    ["force"] = type == "mousePressed" ? force : 0,
                });
        }
    }

    [Fact]
    public async Task UndoByKeys_SliderFocused_UndoesTheStrokeButNotInATextField()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.StrokeAsync((.2, .8), (.8, .8));
        await page.MaskWhereAsync(PaintedMask.At((.5, .8)));

        await page.Locator("#prompt").FocusAsync();
        await page.Keyboard.PressAsync("Control+z");
        await page.Locator(".layer input[type=range]").FocusAsync();
        await page.Keyboard.PressAsync("Control+z");

        // Two undos would remove the layer.
        await page.MaskWhereAsync("mask => mask.cells.every(cell => cell === 0)");
    }

    [Fact]
    public async Task UnderTheBrush_PointerGone_CanBeChosen()
    {
        var page = await browser.OpenLayerAsync(studio);
        var list = page.GetByRole(AriaRole.Heading, new() { Name = "Under the brush" });
        await page.MoveAsync(.4, .8);
        await list.WaitForAsync();

        var search = page.GetByPlaceholder("snow, mosaic");
        await search.FillAsync("snow");
        await list.WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await search.FillAsync("");
        await list.WaitForAsync();
        await page.Button("whole picture").ClickAsync();

        await page.GetByRole(AriaRole.Heading, new() { Name = "Active in this picture" }).WaitForAsync();
    }
}
