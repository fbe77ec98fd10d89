using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Concepts as brushes, things that are removed, and regions that are selected.</summary>
[Collection(nameof(Studio))]
public sealed class ConceptTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task Concept_Searched_IsListedFirstAndPaintsAsOneLayer()
    {
        var page = await OpenAsync();
        var before = await page.PixelsAsync();
        await page.GetByRole(AriaRole.Searchbox).FillAsync("sunset");
        await page.Locator(".right .concept .pick").ClickAsync();
        await page.Locator(".layer[data-selected]").Filter(new() { HasText = "sunset" }).WaitForAsync();
        await page.Locator(".hint").Filter(new() { HasText = "Drag on the picture to paint sunset" }).WaitForAsync();

        await page.ChangePictureAsync(() => page.StrokeAsync((.2, .2), (.8, .2)));

        var after = await page.PixelsAsync();
        Assert.True(StudioPage.Change(before, after, (x, y) => x is > .3 and < .7 && y is > .15 and < .25) > 15);
        Assert.True(StudioPage.Change(before, after, (_, y) => y > .6) < 5);
        await page.Button("Undo").ClickAsync();
        await page.Button("Undo").ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 0");
    }

    [Fact]
    public async Task Remove_StrokeOverAHouse_TakesItOutInOneStep()
    {
        var page = await OpenAsync();
        var before = await page.PixelsAsync();
        await page.Keyboard.PressAsync("r");
        await page.Locator(".hint").Filter(new() { HasText = "Brush over a whole thing to remove it" }).WaitForAsync();

        await page.ChangePictureAsync(() => page.StrokeAsync((.2, .65), (.4, .65), (.4, .75), (.2, .75)));

        await page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "Removed here: house" }).WaitForAsync();
        Assert.Equal("without house", await page.Locator(".layer strong").TextContentAsync());
        var after = await page.PixelsAsync();
        Assert.True(StudioPage.Change(before, after, (x, y) => x is > .28 and < .45 && y is > .7 and < .9) > 30);
        Assert.True(StudioPage.Change(before, after, (_, y) => y < .5) < 4);
        await page.Button("Undo").ClickAsync();
        await page.ShownAsync(1);
        Assert.Equal(before, await page.PixelsAsync());
    }

    [Fact]
    public async Task Remove_ChosenByName_NeedsNoGuess()
    {
        var page = await OpenAsync();
        await page.Button("Remove a thing").ClickAsync();
        await page.GetByLabel("Thing to remove").SelectOptionAsync("pine");
        await page.Locator(".left-tag").Filter(new() { HasText = "Remove · pine" }).WaitForAsync();

        await page.ChangePictureAsync(() => page.StrokeAsync((.6, .55), (.95, .6)));

        Assert.Equal("without pine", await page.Locator(".layer strong").TextContentAsync());
    }

    [Fact]
    public async Task Select_HouseByKeyboard_ListsTheHouseAndPaintsWithIt()
    {
        var page = await OpenAsync();
        await page.Keyboard.PressAsync("s");
        await page.Locator(".studio[data-tool='select']").WaitForAsync();
        await page.Locator(".overlay").FocusAsync();
        // The cursor begins in the middle cell.
        foreach (var key in (string[])["ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowLeft"])
            await page.Keyboard.PressAsync(key);
        foreach (var key in (string[])["Space", "ArrowLeft", "Space", "ArrowDown", "Space", "Enter"])
            await page.Keyboard.PressAsync(key);

        await page.Locator(".right h2").Filter(new() { HasText = "In the selection" }).WaitForAsync();
        Assert.Equal("house", await page.Locator(".right .concept strong").First.TextContentAsync());
        Assert.Equal(0, await page.Locator(".layer").CountAsync());
        await page.Button("Paint with all of it").ClickAsync();
        await page.Locator(".layer[data-selected]").Filter(new() { HasText = "selection" }).WaitForAsync();
        await page.Button("deselect").ClickAsync();
        await page.WaitForFunctionAsync(
            "() => ![...document.querySelectorAll('.right h2')].some(one => one.textContent === 'In the selection')");
    }

    [Fact]
    public async Task History_BlankLayerAndUndo_AddNoThumbnail()
    {
        var page = await OpenAsync();
        await page.ChangePictureAsync(() => page.Locator(".right .row .pick").First.ClickAsync());
        await page.ChangePictureAsync(() => page.StrokeAsync((.2, .8), (.8, .8)));
        await page.Button("Undo").ClickAsync();
        await page.ShownAsync(1);

        Assert.Equal(2, await page.Locator(".history li").CountAsync());
    }

    [Fact]
    public async Task Phone_FeatureChosenFarDown_KeepsThePictureInView()
    {
        var page = await browser.OpenAsync(studio, $"/#r={Studio.House.ToLink()}", 390, 844, touch: true);
        await page.PictureAsync();

        await page.Locator(".right .row .pick").Last.ClickAsync();
        await page.Locator(".layer").WaitForAsync(new() { State = WaitForSelectorState.Attached });

        var box = (await page.Locator(".frame").BoundingBoxAsync())!;
        Assert.InRange(box.Y, 0, 844 - box.Height);
        Assert.True(await page.EvaluateAsync<double>("() => scrollY") > 300);
    }

    private async Task<IPage> OpenAsync()
    {
        var page = await browser.OpenAsync(studio, $"/#r={Studio.House.ToLink()}");
        await page.PictureAsync();
        return page;
    }
}
