using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Undo, the history and the layers across pages, links and reloads.</summary>
[Collection(nameof(Studio))]
public sealed class NothingIsLostTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly Recipe House = new()
    {
        Model = "unbox-mini",
        Prompt = "a red house in a meadow",
        Width = 512,
        Height = 512,
        Edits = [new(Site.Composition, 62, 8)],
    };

    [Fact]
    public async Task Undo_AfterAnotherPageAndAReload_LeadsBackAndTheHistoryIsThere()
    {
        var page = await OpenAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Clear the mask" }).ClickAsync();
        await page.HistoryAsync(2);
        await page.GetByRole(AriaRole.Link, new() { Name = "Explore" }).ClickAsync();
        await page.AddressAsync("/explore?prompt=*");
        await page.PictureAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Paint", Exact = true }).ClickAsync();
        await page.AddressAsync("/");
        await page.PictureAsync();
        await HasThumbnailsAsync(page, 2);
        await page.ReloadAsync();
        await page.PictureAsync();
        await HasThumbnailsAsync(page, 2);

        await UndoAsync(page);

        await page.WaitForFunctionAsync("() => !JSON.parse(sessionStorage.getItem('saeunbox.draft')).edits[0].mask");
    }

    // Explore writes its address once it knows what it shows. By then the visitor may be elsewhere.
    [Fact]
    public async Task Click_WhileTheLastPageStillOpens_LeadsToTheLastOne()
    {
        var page = await OpenAsync();
        for (var turn = 0; turn < 3; turn++)
        {
            await page.GetByRole(AriaRole.Link, new() { Name = "Explore" }).ClickAsync();
            await page.AddressAsync("/explore*");
            await page.GetByRole(AriaRole.Link, new() { Name = "Paint", Exact = true }).ClickAsync();
            await page.WaitForSelectorAsync(".studio[data-tool]");
            await page.PictureAsync();
            await page.AddressAsync("/");
        }
    }

    [Fact]
    public async Task GuideExample_OverOnesOwnLayers_IsTakenBackByOneUndo()
    {
        var page = await OpenAsync();
        await page.GotoAsync("/guide");
        await page.WaitForSelectorAsync("main[data-live]");
        await page.Locator(".examples a").First.ClickAsync();
        await page.PictureAsync();
        Assert.NotEqual(House.Prompt, await page.Locator("#prompt").InputValueAsync());

        await UndoAsync(page);

        await page.WaitForFunctionAsync("prompt => document.querySelector('#prompt').value === prompt", House.Prompt);
        Assert.Equal(House, await DraftAsync(page));
    }

    [Fact]
    public async Task Link_OverADraftOfAnotherTab_IsTakenBackByOneUndo()
    {
        var page = await OpenAsync();
        var other = await page.Context.NewPageAsync();
        await other.GotoAsync($"/#r={(House with { Prompt = "a boat at sea", Edits = [] }).ToLink()}");
        await other.PictureAsync();

        await UndoAsync(other);

        await other.WaitForFunctionAsync("prompt => document.querySelector('#prompt').value === prompt", House.Prompt);
    }

    [Fact]
    public async Task FeatureOfTheAddress_IsAddedOnceAndUndoTakesItBack()
    {
        var page = await OpenAsync();
        await page.GotoAsync("/features/down.2.1/129");
        await page.GetByRole(AriaRole.Link, new() { Name = "Paint with this" }).ClickAsync();
        await page.PictureAsync();
        await page.AddressAsync("/");
        Assert.Equal(2, await page.Locator(".layer").CountAsync());

        await page.ReloadAsync();
        await page.PictureAsync();
        Assert.Equal(2, await page.Locator(".layer").CountAsync());
        await UndoAsync(page);

        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 1");
    }

    private async Task<IPage> OpenAsync()
    {
        var page = await browser.OpenAsync(studio, $"/#r={House.ToLink()}");
        await page.PictureAsync();
        return page;
    }

    private static Task UndoAsync(IPage page) => page.GetByRole(AriaRole.Button, new() { Name = "Undo", Exact = true }).ClickAsync();

    private static Task HasThumbnailsAsync(IPage page, int count) => page.WaitForFunctionAsync(
        "count => [...document.querySelectorAll('.history img')].filter(one => one.naturalWidth > 0).length === count", count);

    private static async Task<Recipe> DraftAsync(IPage page) =>
        Recipe.FromJson(await page.EvaluateAsync<string>("() => sessionStorage.getItem('saeunbox.draft')"));
}
