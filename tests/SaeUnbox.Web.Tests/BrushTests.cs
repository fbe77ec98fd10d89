using Microsoft.Playwright;
using SaeUnbox.Contracts;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class BrushTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly TimeSpan Far = TimeSpan.FromMilliseconds(120);

    [Fact]
    public async Task Dabs_FasterThanTheLine_AreAllKept()
    {
        await using var far = new FarStudio(studio, Far);
        var page = await OpenAsync(far.Address.ToString());
        await SmallBrushAsync(page);

        (double X, double Y)[] places = [(.22, .32), (.53, .53), (.82, .72)];
        foreach (var place in places)
            await page.StrokeAsync(place);

        var mask = await MaskWhereAsync(page, Painted(places[^1]));
        Assert.All(places, place => Assert.True(Value(mask, place) > .5, $"the dab at {place} is lost"));
    }

    [Fact]
    public async Task Arrows_FasterThanTheLine_PaintEveryCell()
    {
        await using var far = new FarStudio(studio, Far);
        var page = await OpenAsync(far.Address.ToString());

        await page.Locator(".overlay").FocusAsync();
        const int steps = 6;
        await page.Keyboard.DownAsync("Shift");
        for (var i = 0; i < steps; i++)
            await page.Keyboard.DownAsync("ArrowRight"); // held: it repeats
        await page.Keyboard.UpAsync("ArrowRight");
        await page.Keyboard.UpAsync("Shift");

        // The first goes to the middle.
        var mask = await MaskWhereAsync(page, $"mask => mask.cells.filter(cell => cell === 255).length === {steps}");
        var start = mask.Rows / 2 * mask.Columns + mask.Columns / 2;
        Assert.All(Enumerable.Range(start, steps), cell => Assert.Equal(1, mask.Cells[cell]));
    }

    [Fact]
    public async Task Undo_OverAFarLine_TakesTheStrokeBack()
    {
        await using var far = new FarStudio(studio, Far);
        var page = await OpenAsync(far.Address.ToString());
        await page.StrokeAsync((.2, .8), (.8, .8));
        await MaskWhereAsync(page, Painted((.5, .8)));

        await page.GetByRole(AriaRole.Button, new() { Name = "Undo", Exact = true }).ClickAsync();
        await MaskWhereAsync(page, "mask => mask.cells.every(cell => cell === 0)");

        // The next stroke begins with what the undo left.
        await page.StrokeAsync((.2, .3), (.8, .3));
        var mask = await MaskWhereAsync(page, Painted((.5, .3)));
        Assert.Equal(0, Value(mask, (.5, .8)));
    }

    [Fact]
    public async Task Restart_WhileThePointerIsDown_KeepsTheWholeStroke()
    {
        await using var own = await Studio.OfAsync();
        var page = await browser.OpenAsync(own);
        await page.PictureAsync();
        await PickAsync(page);
        await SmallBrushAsync(page);

        await MoveAsync(page, .2, .8);
        await page.Mouse.DownAsync();
        await MoveAsync(page, .4, .8);
        Assert.Equal(0, await own.StopAsync());
        await MoveAsync(page, .6, .8);
        await own.StartAsync();
        await page.Locator(".components-reconnect-rejected").WaitForAsync(new() { State = WaitForSelectorState.Attached });
        await MoveAsync(page, .8, .8);
        await page.Mouse.UpAsync();

        // The page was loaded anew: its history begins again.
        await page.WaitForFunctionAsync("() => document.querySelector('.layer') && document.querySelectorAll('.history li').length === 1");
        var mask = await MaskWhereAsync(page, Painted((.8, .8)));
        Assert.All([.2, .3, .5, .7, .8], x => Assert.True(Value(mask, (x, .8)) > .5, $"the stroke at {x} is lost"));
    }

    [Fact]
    public async Task Reload_WhileThePointerIsDown_KeepsTheStrokeSoFar()
    {
        var page = await OpenAsync();
        await SmallBrushAsync(page);
        await MoveAsync(page, .2, .8);
        await page.Mouse.DownAsync();
        await MoveAsync(page, .6, .8);

        await page.ReloadAsync();
        await page.PictureAsync();

        var mask = await MaskWhereAsync(page, Painted((.4, .8)));
        Assert.True(Value(mask, (.2, .8)) > .5);
    }

    // A page with a picture, and a layer whose mask is empty.
    private async Task<IPage> OpenAsync(string address = "/")
    {
        var page = await browser.OpenAsync(studio, address);
        await page.PictureAsync();
        await PickAsync(page);
        return page;
    }

    private static async Task PickAsync(IPage page)
    {
        var entries = await page.Locator(".history li").CountAsync();
        await page.Locator(".right .row .pick").First.ClickAsync();
        await page.Locator(".layer").WaitForAsync();
        await page.HistoryAsync(entries + 1);
    }

    private static async Task SmallBrushAsync(IPage page)
    {
        await page.GetByLabel("Size").FillAsync("16");
        await page.GetByText("16", new() { Exact = true }).WaitForAsync();
    }

    private static async Task MoveAsync(IPage page, double x, double y)
    {
        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        await page.Mouse.MoveAsync((float)(box.X + x * box.Width), (float)(box.Y + y * box.Height), new() { Steps = 8 });
    }

    /// <summary>The mask in the draft, once it is so: a function in JavaScript of { rows, columns, cells }, cells from 0 to 255.</summary>
    private static async Task<BrushMask> MaskWhereAsync(IPage page, string isSo)
    {
        await page.EvaluateAsync("async () => { globalThis.readMask = (await import('/js/masks.js')).read; }");
        var found = await page.WaitForFunctionAsync($$"""
            () => {
                const draft = localStorage.getItem('saeunbox.draft');
                return localStorage.getItem('saeunbox.pending') === null && ({{isSo}})(readMask(JSON.parse(draft).edits[0].mask)) && draft;
            }
            """);
        return Recipe.FromJson(await found.JsonValueAsync<string>()).Edits[0].Mask!;
    }

    private static string Painted((double X, double Y) place) =>
        FormattableString.Invariant($"mask => mask.cells[Math.floor({place.Y} * mask.rows) * mask.columns + Math.floor({place.X} * mask.columns)] > 127");

    private static double Value(BrushMask mask, (double X, double Y) place) => mask.Cells[(int)(place.Y * mask.Rows) * mask.Columns + (int)(place.X * mask.Columns)];
}
