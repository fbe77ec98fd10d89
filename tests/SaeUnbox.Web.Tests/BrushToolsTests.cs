using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Tools, keys, and layers that cover each other.</summary>
[Collection(nameof(Studio))]
public sealed class BrushToolsTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private const string IsBlank = "mask => mask.cells.every(cell => cell === 0)";

    private static readonly Recipe House = new()
    {
        Model = "unbox-mini",
        Prompt = "a red house in a meadow",
        Width = 512,
        Height = 512,
    };

    [Fact]
    public async Task Feature_ChosenWithTheEraser_GivesTheBrushAndSaysToDrag()
    {
        var page = await OpenAsync(House);
        await page.Keyboard.PressAsync("e");
        await ToolAsync(page, "eraser");

        await page.Locator(".right .row .pick").First.ClickAsync();
        await ToolAsync(page, "brush");
        await page.Locator(".hint").Filter(new() { HasText = "Drag on the picture to paint" }).WaitForAsync();
        await page.StrokeAsync((.2, .8), (.8, .8));
        await page.MaskWhereAsync(PaintedMask.At((.5, .8)));

        await page.WaitForFunctionAsync("() => document.querySelector('.hint').textContent === ''");
    }

    [Fact]
    public async Task Eraser_LooksLikeOneAndSaysIfThereIsNothingToErase()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.Keyboard.PressAsync("e");
        await ToolAsync(page, "eraser");
        await page.MoveAsync(.5, .5);
        Assert.Equal("dashed", await page.Locator(".mark").EvaluateAsync<string>("mark => getComputedStyle(mark).borderStyle"));
        Assert.StartsWith("Eraser · ", await page.Locator(".left-tag").TextContentAsync());

        await page.StrokeAsync((.2, .8), (.8, .8));

        await page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "Nothing is painted on this layer yet" }).WaitForAsync();
        Assert.True(await page.IsBlankAsync());
    }

    [Fact]
    public async Task Lasso_AroundAPlace_FillsItAndErasesItWithAlt()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.Keyboard.PressAsync("l");
        await ToolAsync(page, "lasso");

        await page.StrokeAsync((.1, .1), (.9, .1), (.9, .9), (.1, .9));
        var filled = await page.MaskWhereAsync(PaintedMask.At((.5, .5)));
        Assert.Equal((1, 0), (filled.Value((.3, .7)), filled.Value((.03, .5))));
        await page.Keyboard.DownAsync("Alt");
        await page.StrokeAsync((.3, .3), (.7, .3), (.7, .7), (.3, .7));
        await page.Keyboard.UpAsync("Alt");

        var ring = await page.MaskWhereAsync($"mask => !({PaintedMask.At((.5, .5))})(mask)");
        Assert.Equal((0, 1), (ring.Value((.5, .5)), ring.Value((.2, .5))));
    }

    [Fact]
    public async Task Hand_DragsTheMaskAndArrowsNudgeIt()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.SetBrushAsync("Size", "64");
        await page.StrokeAsync((.25, .25));
        var before = await page.MaskWhereAsync(PaintedMask.At((.26, .26)));
        await page.Keyboard.PressAsync("m");
        await ToolAsync(page, "move");

        await page.StrokeAsync((.4, .4), (.65, .65));
        var moved = await page.MaskWhereAsync(PaintedMask.At((.51, .51)));
        Assert.Equal(before.Sum(), moved.Sum(), .01);
        Assert.Equal(0, moved.Value((.26, .26)));
        await page.Locator(".overlay").PressAsync("ArrowLeft");

        var (row, column) = (moved.Rows / 2, moved.Columns / 2);
        await page.MaskWhereAsync($"mask => mask.cells[{row} * mask.columns + {column - 1}] === {(int)(255 * moved[row, column])}");
    }

    [Fact]
    public async Task Keys_WhereNoTextIsTyped_ActAndInTheSheetAreSwitchedOff()
    {
        var page = await OpenAsync(House with { Edits = [new(Site.Composition, 62, 8), new(Site.Style, 3, 8)] });
        await page.Keyboard.PressAsync("1");
        await page.Locator("[data-layer='0'][data-selected]").WaitForAsync();
        await page.Keyboard.PressAsync("2");
        await page.Locator("[data-layer='1'][data-selected]").WaitForAsync();
        await page.Locator(".right .pick").First.FocusAsync();
        await page.Keyboard.PressAsync("e");
        await ToolAsync(page, "eraser");
        await page.Locator("#prompt").FillAsync("");
        await page.Locator("#prompt").PressSequentiallyAsync("b1?");
        Assert.Equal("b1?", await page.Locator("#prompt").InputValueAsync());
        await page.Locator("[data-layer='1'] .pick").FocusAsync();

        await page.Keyboard.PressAsync("?");
        var sheet = page.GetByRole(AriaRole.Dialog, new() { Name = "Keys" });
        await sheet.WaitForAsync();
        await ToolAsync(page, "eraser");
        await sheet.GetByLabel("Single keys choose tools and layers").UncheckAsync();
        await page.WaitForFunctionAsync("() => localStorage.getItem('saeunbox.settings')?.includes('\"HasKeys\":false')");
        await page.Keyboard.PressAsync("Escape");
        await sheet.WaitForAsync(new() { State = WaitForSelectorState.Detached });
        await page.Keyboard.PressAsync("b");
        await page.Keyboard.PressAsync("1");
        // The page handles its messages in order.
        await page.Locator("[data-layer='0'] .corner").ClickAsync();
        await page.Locator("[data-layer='0'][data-off]").WaitForAsync();

        await ToolAsync(page, "eraser");
        Assert.Equal(1, await page.Locator("[data-layer='1'][data-selected]").CountAsync());
    }

    [Theory]
    [InlineData("Control+y")]
    [InlineData("Control+Shift+z")]
    public async Task Redo_ByKeys_BringsTheStrokeBack(string keys)
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.StrokeAsync((.2, .8), (.8, .8));
        await page.MaskWhereAsync(PaintedMask.At((.5, .8)));
        await page.Keyboard.PressAsync("Control+z");
        await page.MaskWhereAsync(IsBlank);

        await page.Keyboard.PressAsync(keys);

        await page.MaskWhereAsync(PaintedMask.At((.5, .8)));
    }

    [Fact]
    public async Task UpperLayer_OfTheSameSite_WinsUntilTheyBlend()
    {
        var upper = new FeatureEdit(Site.Composition, 62, 8);
        var alone = await OpenAsync(House with { Edits = [upper] });
        var page = await OpenAsync(House with { Edits = [new(Site.Composition, 129, 8), upper], Overlap = Overlap.Cover });
        Assert.Equal(await alone.PixelsAsync(), await page.PixelsAsync());

        await page.Button("blend").ClickAsync();
        await page.HistoryAsync(2);
        Assert.NotEqual(await alone.PixelsAsync(), await page.PixelsAsync());
        await page.Button("blend").ClickAsync();
        await page.WaitForFunctionAsync("() => JSON.parse(sessionStorage.getItem('saeunbox.draft')).overlap === 'cover'");
    }

    [Fact]
    public async Task Mask_CopiedToALayerOfAnotherSite_IsTheSamePartOfThePicture()
    {
        var page = await browser.OpenLayerAsync(studio);
        await page.StrokeAsync((.2, .8), (.8, .8));
        await page.MaskWhereAsync(PaintedMask.At((.5, .8)));
        await page.Button("Copy the mask").ClickAsync();
        await page.Locator(".right .row .pick").Nth(3).ClickAsync();
        await page.Locator("[data-layer='1'][data-selected]").WaitForAsync();

        await page.Button("Paste the mask").ClickAsync();
        await page.WaitForFunctionAsync(
            "() => { const { edits } = JSON.parse(sessionStorage.getItem('saeunbox.draft')); return edits[1]?.mask === edits[0].mask; }");
    }

    private async Task<IPage> OpenAsync(Recipe recipe)
    {
        var page = await browser.OpenAsync(studio, $"/#r={recipe.ToLink()}");
        await page.PictureAsync();
        return page;
    }

    private static Task ToolAsync(IPage page, string tool) => page.Locator($".studio[data-tool='{tool}']").WaitForAsync();
}
