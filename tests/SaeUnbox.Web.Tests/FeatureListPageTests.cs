using System.Text.Json;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class FeatureListPageTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task List_KeptRenamedAndExported_HoldsItsFeatures()
    {
        var page = await browser.OpenAsync(studio, "/features/down.2.1/39");
        foreach (var address in new[] { "/features/down.2.1/39", "/features/mid.0/62" })
        {
            await page.GotoAsync(address);
            await page.WaitForSelectorAsync("main[data-live]");
            await page.GetByRole(AriaRole.Button, new() { Name = "Keep" }).ClickAsync();
            if (address.Contains("39", StringComparison.Ordinal))
            {
                await page.Locator("#new-list").FillAsync("Meadow");
                await page.GetByRole(AriaRole.Button, new() { Name = "Add" }).ClickAsync();
            }
            else
            {
                await page.GetByRole(AriaRole.Checkbox, new() { Name = "Meadow" }).ClickAsync();
            }
            await Assertions.Expect(page.GetByRole(AriaRole.Checkbox, new() { Name = "Meadow" })).ToBeCheckedAsync();
        }
        await AxeTests.AssertCleanAsync(page);

        await page.GotoAsync("/features");
        await page.WaitForSelectorAsync("main[data-live]");
        await page.GetByRole(AriaRole.Button, new() { Name = "Meadow 2" }).ClickAsync();
        await page.AddressAsync("/features?list=Meadow");
        await page.Locator(".page > [role=status]:text-is('2 features')").WaitForAsync();
        await page.GetByLabel("Name", new() { Exact = true }).FillAsync("Green things");
        await page.GetByLabel("Name", new() { Exact = true }).PressAsync("Enter");
        await page.AddressAsync("/features?list=Green%20things");
        await AxeTests.AssertCleanAsync(page);

        var json = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Button, new() { Name = "JSON" }).ClickAsync());
        Assert.Equal("green-things.json", json.SuggestedFilename);
        using var document =
            JsonDocument.Parse(await File.ReadAllBytesAsync(await json.PathAsync(), TestContext.Current.CancellationToken));
        Assert.Equal(["down.2.1 39", "mid.0 62"], document.RootElement.GetProperty("features").EnumerateArray()
            .Select(one => $"{one.GetProperty("site")} {one.GetProperty("feature")}"));
        var csv = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Button, new() { Name = "CSV" }).ClickAsync());
        Assert.Equal(3, (await File.ReadAllLinesAsync(await csv.PathAsync(), TestContext.Current.CancellationToken)).Length);

        await page.GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
        await page.AddressAsync("/features");
        await Assertions.Expect(page.GetByRole(AriaRole.Button, new() { Name = "Green things" })).ToHaveCountAsync(0);
    }

    [Fact]
    public async Task List_OfALink_IsShownAndCanBeKept()
    {
        var page = await browser.OpenAsync(studio, "/features?list=Winter&of=down.2.1_2_129~mid.0_62");
        await page.GetByText("Shared with you.").WaitForAsync();
        await page.Locator(".page > [role=status]:text-is('3 features')").WaitForAsync();

        await page.GetByRole(AriaRole.Searchbox).FillAsync("#62");
        await page.Locator(".page > [role=status]:text-is('1 feature')").WaitForAsync();
        await page.GetByRole(AriaRole.Searchbox).FillAsync("");
        await page.GetByRole(AriaRole.Button, new() { Name = "Keep this list" }).ClickAsync();
        await page.AddressAsync("/features?list=Winter");

        await page.ReloadAsync();
        await page.Locator(".page > [role=status]:text-is('3 features')").WaitForAsync();
        Assert.Equal("Winter", await page.GetByLabel("Name", new() { Exact = true }).InputValueAsync());
    }

    [Fact]
    public async Task List_OfAnotherBrowser_SaysThatALinkIsNeeded()
    {
        var page = await browser.OpenAsync(studio, "/features?list=Winter");

        await page.GetByText("This browser keeps no list “Winter”").WaitForAsync();
    }
}
