using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Words that the model knows, prompts that are too long, and the sheet of seeds.</summary>
[Collection(nameof(Studio))]
public sealed class PromptHelpTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly string Long = string.Join(", ", Enumerable.Repeat("a red house in a meadow", 20)) + ", snowmen";

    [Fact]
    public async Task Prompt_WithUnknownWords_NamesThemAndOffersOthers()
    {
        var page = await OpenAsync();
        await page.Locator("#prompt").FillAsync("a red car and a muhsroom");
        var help = page.Locator(".help");
        await help.Filter(new() { HasText = "This model does not know “car”" }).WaitForAsync();

        await help.GetByRole(AriaRole.Button, new() { Name = "mushroom", Exact = true }).ClickAsync();

        await page.WaitForFunctionAsync("() => document.querySelector('#prompt').value === 'a red car and a mushroom'");
        await help.Filter(new() { HasNotText = "muhsroom" }).WaitForAsync();
    }

    [Fact]
    public async Task Typing_OffersKnownWordsAndEnterGenerates()
    {
        var page = await OpenAsync();
        await page.Locator("#prompt").FillAsync("a snowm");
        await page.Locator(".completions").GetByRole(AriaRole.Button, new() { Name = "snowman", Exact = true }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelector('#prompt').value === 'a snowman '");
        await page.WaitForFunctionAsync("() => document.activeElement.id === 'prompt'");
        await page.Keyboard.PressAsync("Shift+Enter");
        await page.Keyboard.TypeAsync("at night");

        await page.Keyboard.PressAsync("Enter");

        await page.WaitForFunctionAsync("() => JSON.parse(sessionStorage.getItem('saeunbox.draft')).prompt === 'a snowman \\nat night'");
        Assert.True(await page.EvaluateAsync<bool>("() => document.querySelector('#prompt').offsetHeight > 50"), "the field does not grow");
    }

    [Fact]
    public async Task Prompt_LongerThanTheModelReads_SaysWhatIsLeftOutOnThePageAndInTheApi()
    {
        var page = await OpenAsync();
        await page.Locator("#prompt").FillAsync(Long);
        await page.Keyboard.PressAsync("Enter");
        await page
            .Locator(".help")
            .Filter(new() { HasText = "these words were ignored" })
            .Filter(new() { HasText = "snowmen" })
            .WaitForAsync();

        using var body = new StringContent(
            JsonSerializer.Serialize(new { prompt = Long }), Encoding.UTF8, "application/json");
        var picture = await studio.Client.PostAsync("/api/v1/generate", body, TestContext.Current.CancellationToken);
        Assert.Contains("snowmen", Uri.UnescapeDataString(picture.Headers.GetValues("Recipe-Note").Single()));
        var reading = await studio.Client.PostAsync("/api/v1/explore", body, TestContext.Current.CancellationToken);
        var json = await reading.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken);
        Assert.Contains("snowmen", json.GetProperty("note").GetString());
    }

    [Fact]
    public async Task Seeds_AreShownAsPicturesToChooseFrom()
    {
        var page = await OpenAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Choose among seeds" }).ClickAsync();
        var sheet = page.GetByRole(AriaRole.Dialog, new() { Name = "Choose a picture" });
        await page.WaitForFunctionAsync(
            "() => [...document.querySelectorAll('.seeds img')].filter(one => one.naturalWidth > 0).length === 9");
        var third = sheet.Locator(".seeds button").Nth(2);
        var seed = (await third.GetAttributeAsync("title"))!.Split(' ')[1];

        await third.ClickAsync();

        await page.WaitForFunctionAsync("seed => document.querySelector('#seed').value === seed", seed);
        await sheet.WaitForAsync(new() { State = WaitForSelectorState.Detached });
    }

    private async Task<IPage> OpenAsync()
    {
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        return page;
    }
}
