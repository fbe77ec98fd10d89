using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>What somebody sees who has never been here.</summary>
[Collection(nameof(Studio))]
public sealed class FirstVisitTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Landing_PaintsAnExampleOnceAndUndoTakesItAway(bool reducesMotion)
    {
        var page = await browser.OpenAsync(studio.Address, isFirst: true, reducesMotion: reducesMotion);
        await page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "One feature painted this" }).WaitForAsync();
        var mask = await page.MaskWhereAsync("mask => mask.cells.some(cell => cell > 0)");
        Assert.Equal((1, 0), (mask.Value((.5, .1)), mask.Value((.5, .9))));
        await page.HistoryAsync(1);

        await page.ReloadAsync();
        await page.PictureAsync();
        Assert.Equal(1, await page.Locator(".layer").CountAsync());
        Assert.Equal(0, await page.GetByRole(AriaRole.Alert).CountAsync());
        var undo = page.GetByRole(AriaRole.Button, new() { Name = "Undo", Exact = true });
        await undo.ClickAsync();
        await page.MaskWhereAsync("mask => mask.cells.every(cell => cell === 0)");
        await undo.ClickAsync();

        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 0");
    }

    [Fact]
    public async Task Landing_WithALink_ShowsTheLinkAlone()
    {
        var recipe = new Recipe { Model = "unbox-mini", Prompt = "a boat at sea", Width = 512, Height = 512 };

        var page = await browser.OpenAsync(studio.Address, $"/#r={recipe.ToLink()}", isFirst: true);
        await page.PictureAsync();

        Assert.Equal("a boat at sea", await page.Locator("#prompt").InputValueAsync());
        Assert.Equal(0, await page.Locator(".layer").CountAsync());
    }

    [Fact]
    public async Task Example_OneClick_OpensItPaintedAndUndoTakesItBack()
    {
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        var prompt = await page.Locator("#prompt").InputValueAsync();
        await page.WaitForFunctionAsync(
            "() => [...document.querySelectorAll('.left .examples img')].filter(one => one.naturalWidth > 0).length === 6");
        var before = await page.PixelsAsync();

        await page.Locator(".left .examples a").First.ClickAsync();
        await page.HistoryAsync(2);
        Assert.Equal(1, await page.Locator(".layer").CountAsync());
        Assert.NotEqual(before, await page.PixelsAsync());
        await page.GetByRole(AriaRole.Button, new() { Name = "Undo", Exact = true }).ClickAsync();

        await page.WaitForFunctionAsync("prompt => document.querySelector('#prompt').value === prompt", prompt);
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 0");
    }

    [Fact]
    public async Task Phone_WhileFeaturesAreChosen_KeepsThePictureInView()
    {
        var page = await browser.OpenAsync(studio, "/", 390, 844, touch: true);
        await page.PictureAsync();
        var row = page.Locator(".right .row .pick").Nth(9);
        await row.ScrollIntoViewIfNeededAsync();

        await row.ClickAsync();
        await page.Locator(".hint").Filter(new() { HasText = "Drag on the picture" }).WaitForAsync();

        Assert.True(await page.EvaluateAsync<bool>("() => scrollY > 300"), "the page has not scrolled");
        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        Assert.InRange(box.Y, 0, 844 - box.Height);
        // Nothing lies over the picture's middle.
        Assert.Equal("overlay", await page.EvaluateAsync<string>(
            "place => document.elementFromPoint(place.x, place.y).className",
            new { x = (double)box.X + box.Width / 2, y = (double)box.Y + box.Height / 2 }));
    }
}
