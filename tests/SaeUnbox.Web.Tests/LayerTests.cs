using System.Diagnostics;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Layers and the history of pictures.</summary>
[Collection(nameof(Studio))]
public sealed class LayerTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    // The second of three layers is switched off.
    private static readonly FeatureEdit[] Three =
    [
        new(Site.Composition, 1, 15), new(Site.Details, 2, 15) { Enabled = false }, new(Site.Style, 3, 15),
    ];

    [Fact]
    public async Task Solo_TurnedOff_RestoresLayers()
    {
        var page = await OpenAsync();
        var before = await page.PixelsAsync();

        await PressAsync(page, 0, "Only this layer");
        await StatesAsync(page, true, false, false);
        await PressAsync(page, 2, "Only this layer");
        await StatesAsync(page, false, false, true);
        await ShowsAsync(page, pixels => !pixels.SequenceEqual(before));
        await PressAsync(page, 2, "Only this layer");
        await StatesAsync(page, true, false, true);

        await ShowsAsync(page, before);
    }

    [Fact]
    public async Task Solo_AfterAReload_CanBeUndone()
    {
        var page = await OpenAsync();
        await PressAsync(page, 2, "Only this layer");
        await StatesAsync(page, false, false, true);
        await page.WaitForFunctionAsync(
            "() => sessionStorage.getItem('saeunbox.solo') && JSON.parse(sessionStorage.getItem('saeunbox.draft')).edits[0].enabled === "
            + "false");

        await page.ReloadAsync();
        await page.PictureAsync();
        await PressAsync(page, 2, "Only this layer");

        await StatesAsync(page, true, false, true);
    }

    [Fact]
    public async Task Solo_LayerDeleted_RestoresTheOthers()
    {
        var page = await OpenAsync();
        await PressAsync(page, 0, "Only this layer");
        await StatesAsync(page, true, false, false);

        await PressAsync(page, 0, "Delete");

        await StatesAsync(page, false, true);
    }

    [Fact]
    public async Task Duplicate_ThenDelete_RestoresThePicture()
    {
        var page = await OpenAsync();
        var before = await page.PixelsAsync();

        await PressAsync(page, 2, "Duplicate");
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 4");
        await page.HistoryAsync(2);
        var edits = (await RecipeAsync(page)).Edits;
        Assert.Equal(edits[2], edits[3]);
        Assert.NotEqual(before, await page.PixelsAsync());

        await PressAsync(page, 3, "Delete");
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 3");
        await page.ShownAsync(1);
        Assert.Equal(before, await page.PixelsAsync());
    }

    [Fact]
    public async Task History_PictureChosen_IsCurrentAndListedOnce()
    {
        var page = await OpenAsync();
        var before = await page.PixelsAsync();
        await page.Locator("[data-layer='0']").Locator(".corner").ClickAsync();
        await page.HistoryAsync(2);
        var changed = await page.PixelsAsync();
        Assert.NotEqual(before, changed);

        await page.Locator(".history button").Nth(0).ClickAsync();
        await StatesAsync(page, true, false, true);
        await ShowsAsync(page, before);
        await page.Locator(".history button").Nth(1).ClickAsync();
        await StatesAsync(page, false, false, true);
        await ShowsAsync(page, changed);

        Assert.Equal(["false", "true"],
            await page.Locator(".history button").EvaluateAllAsync<string[]>("all => all.map(one => one.getAttribute('aria-pressed'))"));
        await page.GetByRole(AriaRole.Button, new() { Name = "Undo", Exact = true }).ClickAsync();
        await ShowsAsync(page, before);
    }

    [Fact]
    public async Task Fields_InvalidInput_RestoreTheValueAndSayWhy()
    {
        var page = await OpenAsync();
        await WriteAsync("#seed", "a seed");
        await SaysAsync("A seed is a whole number");
        Assert.Equal("42", await page.Locator("#seed").InputValueAsync());

        var strength = "[data-layer='0'] input[type=number]";
        await WriteAsync(strength, "");
        await SaysAsync("A strength is a number from -40 to 40");
        Assert.Equal("15", await page.Locator(strength).InputValueAsync());
        await WriteAsync(strength, "99");
        await page.WaitForFunctionAsync("field => document.querySelector(field).value === '40'", strength);
        await WriteAsync(strength, "99");
        await page.WaitForFunctionAsync("field => document.querySelector(field).value === '40'", strength);

        async Task WriteAsync(string field, string text)
        {
            await page.Locator(field).FillAsync(text);
            await page.Keyboard.PressAsync("Tab");
        }

        async Task SaysAsync(string words)
        {
            await page.GetByRole(AriaRole.Alert).Filter(new() { HasText = words }).WaitForAsync();
        }
    }

    private async Task<IPage> OpenAsync()
    {
        var recipe = new Recipe { Model = "unbox-mini", Prompt = "a red house in a meadow", Width = 512, Height = 512, Edits = [.. Three] };
        var page = await browser.OpenAsync(studio, $"/#r={recipe.ToLink()}");
        await page.PictureAsync();
        return page;
    }

    private static async Task PressAsync(IPage page, int layer, string button)
    {
        var one = page.Locator($"[data-layer='{layer}']");
        await one.Locator(".pick").ClickAsync();
        await one.GetByRole(AriaRole.Button, new() { Name = button, Exact = true }).ClickAsync();
    }

    private static Task StatesAsync(IPage page, params bool[] states) =>
        page.WaitForFunctionAsync(
            "states => JSON.stringify([...document.querySelectorAll('.layer')].toReversed().map(layer => !layer.dataset.off)) === states",
            System.Text.Json.JsonSerializer.Serialize(states));

    private static Task ShowsAsync(IPage page, byte[] expected) => ShowsAsync(page, pixels => pixels.SequenceEqual(expected));

    private static async Task ShowsAsync(IPage page, Func<IEnumerable<byte>, bool> isIt)
    {
        var clock = Stopwatch.StartNew();
        while (!isIt(await page.PixelsAsync()))
        {
            Assert.True(clock.Elapsed < Studio.Patience, "the picture is not shown");
            await page.EvaluateAsync("() => new Promise(requestAnimationFrame)");
        }
    }

    private static async Task<Recipe> RecipeAsync(IPage page) =>
        Recipe.FromJson(await page.EvaluateAsync<string>("() => sessionStorage.getItem('saeunbox.draft')"));
}
