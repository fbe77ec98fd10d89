using Microsoft.Playwright;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class ScreenshotTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly (string Name, string Address)[] Pages =
    [
        ("paint", "/"), ("explore", "/explore"), ("features", "/features"), ("map", "/features?view=map"),
        ("feature", "/features/down.2.1/1"), ("guide", "/guide"),
        ("api", "/api"), ("error", "/#r=AAAA"), ("missing", "/nowhere"),
    ];

    // tests/screenshots.sh keeps the pictures; otherwise they are deleted. The test is that each page can be drawn.
    [Theory]
    [InlineData(1440, 900), InlineData(1024, 768), InlineData(390, 844)]
    public async Task EveryPage_InThisSize_CanBeSeen(int width, int height)
    {
        using var aside = new TemporaryFolder();
        foreach (var (name, address) in Pages)
        {
            var page = await browser.OpenAsync(studio, address, width, height, touch: width < 500);
            if (name is "paint" or "explore" or "error")
                await page.PictureAsync();
            if (name == "features")
                await page.Locator(".gallery li").First.WaitForAsync();
            if (name == "map")
                await page.WaitForFunctionAsync(StudioPage.MapIsDrawn);
            await ShootAsync(page, aside, $"{name}-{width}", "dark", "light");
            await page.Context.CloseAsync();
        }
    }

    [Fact]
    public async Task Pages_DuringWork_AreShown()
    {
        using var aside = new TemporaryFolder();
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        await page.Locator(".right .tries .chip").Nth(3).ClickAsync();
        await page.Locator(".layer").WaitForAsync();
        await page.StrokeAsync((.1, .75), (.5, .8), (.9, .72), (.5, .9));
        await page.HistoryAsync(2);
        await ShootAsync(page, aside, "painted-1440", "dark");
        await page.GetByRole(AriaRole.Button, new() { Name = "Compare" }).ClickAsync();
        await page.Locator(".studio[data-view='slider'] .mark[data-shape='divider']").WaitForAsync();
        await ShootAsync(page, aside, "compared-1440", "dark");
        await page.GetByRole(AriaRole.Button, new() { Name = "Difference" }).ClickAsync();
        await page.Locator(".studio[data-view='difference']").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Share" }).ClickAsync();
        await ShootAsync(page, aside, "shared-1440", "dark");
        await page.Keyboard.PressAsync("Escape");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show the feature's icon" }).ClickAsync();
        await page.Locator("dialog img").WaitForAsync();
        await ShootAsync(page, aside, "icon-1440", "dark");

        await page.GotoAsync("/explore?prompt=snowmen%20on%20snow%20at%20night&site=up.0.1");
        await page.PictureAsync();
        await page.Locator(".overlay").HoverAsync();
        await page.Locator("[data-under] .row").First.WaitForAsync();
        await ShootAsync(page, aside, "hovered-1440", "dark");
        await page.GotoAsync("/features/up.0.1/1");
        await page.WaitForSelectorAsync("main[data-live]");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show strengths and icon" }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.strip img').length === 8");
        await ShootAsync(page, aside, "strip-1440", "light");
    }

    // Both themes use one page load.
    private static async Task ShootAsync(IPage page, TemporaryFolder aside, string name, params string[] schemes)
    {
        foreach (var scheme in schemes)
        {
            await page.EvaluateAsync("scheme => { document.documentElement.dataset.theme = scheme; }", scheme);
            await page.LoadedAsync();
            var path = Path.Combine(Environment.GetEnvironmentVariable("SAEUNBOX_SCREENSHOTS") ?? aside.Path, $"{name}-{scheme}.png");
            await page.ScreenshotAsync(new() { Path = path });
            Assert.True(new FileInfo(path).Length > 10_000);
        }
    }
}
