using Microsoft.Playwright;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class ScreenshotTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly (string Name, string Address)[] Pages =
        [("paint", "/"), ("explore", "/explore"), ("features", "/features"), ("feature", "/features/down.2.1/1"), ("guide", "/guide"), ("api", "/api")];

    // Written where somebody asked for them (tests/screenshots.sh), else thrown away: that each page can be seen is the test.
    [Theory]
    [InlineData(1440, 900), InlineData(1024, 768), InlineData(390, 844)]
    public async Task EveryPage_InThisSize_CanBeSeen(int width, int height)
    {
        using var aside = new TemporaryFolder();
        var folder = Environment.GetEnvironmentVariable("SAEUNBOX_SCREENSHOTS") ?? aside.Path;
        foreach (var dark in width > 1000 ? new[] { true, false } : [true])
            foreach (var (name, address) in Pages)
            {
                var page = await browser.OpenAsync(studio, address, width, height, dark, width < 500);
                if (name is "paint" or "explore")
                    await page.PictureAsync();
                await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
                var path = Path.Combine(folder, $"{name}-{width}-{(dark ? "dark" : "light")}.png");
                await page.ScreenshotAsync(new() { Path = path });
                Assert.True(new FileInfo(path).Length > 10_000);
                await page.Context.CloseAsync();
            }
    }

    [Fact]
    public async Task Paint_WhileSomebodyWorks_CanBeSeen()
    {
        using var aside = new TemporaryFolder();
        var folder = Environment.GetEnvironmentVariable("SAEUNBOX_SCREENSHOTS") ?? aside.Path;
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        await page.Locator(".right .tries .chip").Nth(3).ClickAsync();
        await page.Locator(".layer").WaitForAsync();
        await page.HistoryAsync(2);
        await page.StrokeAsync((.1, .75), (.5, .8), (.9, .72), (.5, .9));
        await page.HistoryAsync(3);
        await ShootAsync("painted");
        await page.GetByRole(AriaRole.Button, new() { Name = "Compare" }).ClickAsync();
        await page.Locator(".studio[data-view='slider'] .mark[data-shape='divider']").WaitForAsync();
        await ShootAsync("compared");
        await page.GetByRole(AriaRole.Button, new() { Name = "Difference" }).ClickAsync();
        await page.Locator(".studio[data-view='difference']").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Share" }).ClickAsync();
        await ShootAsync("shared");

        async Task ShootAsync(string name)
        {
            await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
            var path = Path.Combine(folder, $"{name}-1440-dark.png");
            await page.ScreenshotAsync(new() { Path = path });
            Assert.True(new FileInfo(path).Length > 10_000);
        }
    }
}
