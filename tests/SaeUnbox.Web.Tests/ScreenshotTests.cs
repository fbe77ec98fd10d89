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
}
