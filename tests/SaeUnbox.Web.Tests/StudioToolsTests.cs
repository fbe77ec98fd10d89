using System.Text;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Settings, icons of layers and saved pictures.</summary>
[Collection(nameof(Studio))]
public sealed class StudioToolsTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task Settings_OfBrushAndSeed_AreRestored()
    {
        var page = await OpenAsync();
        var (size, hardness) =
            (page.GetByRole(AriaRole.Slider, new() { Name = "Size" }), page.GetByRole(AriaRole.Slider, new() { Name = "Hardness" }));
        await size.PressAsync("End");
        await hardness.PressAsync("Home");
        await page.GetByRole(AriaRole.Button, new() { Name = "Keep the seed" }).ClickAsync();
        await page.Locator(".right .row .pick").First.ClickAsync();
        await page.Locator(".layer").WaitForAsync();
        var picked = await page.Locator(".layer strong").TextContentAsync();
        await page.WaitForFunctionAsync(
            "() => localStorage['saeunbox.settings']?.includes('\"IsSeedLocked\":false') && localStorage['saeunbox.recent']");

        // A chosen feature gives the brush.
        await page.GetByRole(AriaRole.Button, new() { Name = "Eraser" }).ClickAsync();
        await page.Locator(".studio[data-tool='eraser']").WaitForAsync();
        await page.WaitForFunctionAsync("() => localStorage.getItem('saeunbox.settings')?.includes('\"Tool\":1')");
        await page.ReloadAsync();
        await page.PictureAsync();

        await page.WaitForFunctionAsync("() => document.querySelector('.studio').dataset.tool === 'eraser'");
        Assert.Equal(("512", "0"), (await size.InputValueAsync(), await hardness.InputValueAsync()));
        Assert.Equal("false", await page.GetByRole(AriaRole.Button, new() { Name = "Keep the seed" }).GetAttributeAsync("aria-pressed"));
        Assert.Equal(picked, await page.Locator("h2:text-is('Recent') + ul strong").First.TextContentAsync());
    }

    [Fact]
    public async Task Icon_OfALayer_OpensInADialogThatEscapeCloses()
    {
        var page = await OpenAsync();
        await page.Locator(".right .row .pick").First.ClickAsync();
        var (button, dialog) = (page.GetByRole(AriaRole.Button,
            new() { Name = "Show the feature's icon" }), page.GetByRole(AriaRole.Dialog));
        await button.PressAsync("Enter");
        await page.WaitForFunctionAsync("() => document.querySelector('dialog img')?.naturalWidth > 0");
        Assert.True(await page.EvaluateAsync<bool>("() => document.querySelector('dialog').contains(document.activeElement)"),
            "the focus is not in the dialog");
        await page.Keyboard.PressAsync("Escape");
        await dialog.WaitForAsync(new() { State = WaitForSelectorState.Detached });
        Assert.Equal("Show the feature's icon", await page.EvaluateAsync<string>("() => document.activeElement.ariaLabel"));

        // A dialog that is closed before its picture arrives stays closed.
        var held = new TaskCompletionSource<IRoute>(TaskCreationOptions.RunContinuationsAsynchronously);
        await page.RouteAsync("**/api/v1/generate", route =>
        {
            held.SetResult(route);
            return Task.CompletedTask;
        });
        await button.PressAsync("Enter");
        await dialog.WaitForAsync();
        var route = await held.Task;
        await dialog.GetByRole(AriaRole.Button, new() { Name = "Close" }).ClickAsync();
        await dialog.WaitForAsync(new() { State = WaitForSelectorState.Detached });
        var answered = page.WaitForResponseAsync("**/api/v1/generate");
        await route.ContinueAsync();
        await (await answered).FinishedAsync();
        // The page handles its messages in order, so the new layer appears after the picture has arrived.
        await page.GetByRole(AriaRole.Button, new() { Name = "Duplicate" }).ClickAsync();
        await page.Locator(".layer").Nth(1).WaitForAsync();
        Assert.Equal(0, await dialog.CountAsync());
    }

    [Fact]
    public async Task SavedPicture_ChosenAsAFile_RestoresItsRecipe()
    {
        const string json = """{"prompt":"three cats by day","seed":5,"edits":[{"site":"up.0.1","feature":3,"strength":7}]}""";
        var answer = await studio.Client.PostAsync("/api/v1/generate", new StringContent(json, Encoding.UTF8, "application/json"));
        var page = await OpenAsync();
        var chooser = page.GetByLabel("Open a saved picture");

        await chooser.SetInputFilesAsync(new FilePayload
        {
            Name = "saved.png",
            MimeType = "image/png",
            Buffer = await answer.Content.ReadAsByteArrayAsync()
        });
        await page.Locator(".layer[data-site='up.0.1']").WaitForAsync();
        Assert.Equal("three cats by day", await page.Locator("#prompt").InputValueAsync());
        Assert.Equal("7", await page.GetByRole(AriaRole.Spinbutton).InputValueAsync());

        await chooser.SetInputFilesAsync(new FilePayload
        {
            Name = "other.png",
            MimeType = "image/png",
            Buffer =
                Convert.FromBase64String("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
        });
        await page.GetByRole(AriaRole.Alert).Filter(new() { HasText = "contains no readable recipe" }).WaitForAsync();
        Assert.Equal(1, await page.Locator(".layer").CountAsync());
    }

    private async Task<IPage> OpenAsync()
    {
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        return page;
    }
}
