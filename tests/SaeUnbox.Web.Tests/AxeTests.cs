using System.Text.Json;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Checks each page and what opens on it, in both themes, on a desktop and on a phone.</summary>
[Collection(nameof(Studio))]
public sealed class AxeTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly (int Width, int Height)[] Sizes = [(1440, 900), (390, 844)];

    [Theory]
    [InlineData("/"), InlineData("/explore"), InlineData("/features"), InlineData("/features/mid.0/1")]
    [InlineData("/guide"), InlineData("/api"), InlineData("/nowhere")]
    public async Task Page_ByAxe_HasNoViolationOfLevelAOrAA(string address)
    {
        var page = await browser.OpenAsync(studio, address);
        if (address is "/" or "/explore")
            await page.PictureAsync();
        if (address == "/features")
            await page.Locator(".gallery li").First.WaitForAsync();
        await page.LoadedAsync();

        await AssertCleanAsync(page);
    }

    [Fact]
    public async Task Paint_WithALayerASearchANoticeAndTheMenu_HasNoViolation()
    {
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        await page.Locator(".right .row .pick").First.ClickAsync();
        await page.Locator(".layer").WaitForAsync();
        await page.GetByLabel("Open a saved picture")
            .SetInputFilesAsync(new FilePayload { Name = "no.png", MimeType = "image/png", Buffer = [1, 2, 3] });
        await page.GetByRole(AriaRole.Alert).WaitForAsync();
        await page.GetByRole(AriaRole.Searchbox).FillAsync("snow");
        await page.Locator(".right .small[role=status]").WaitForAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Share" }).ClickAsync();
        await page.Locator(".share .menu").WaitForAsync();

        await AssertCleanAsync(page);
    }

    [Fact]
    public async Task Dialog_OfAnIcon_HasNoViolation()
    {
        var page = await browser.OpenAsync(studio);
        await page.PictureAsync();
        await page.Locator(".right .row .pick").First.ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Show the feature's icon" }).ClickAsync();
        await page.Locator("dialog img").WaitForAsync();

        await AssertCleanAsync(page);
    }

    [Fact]
    public async Task Map_WithAFeaturePointedAt_HasNoViolation()
    {
        var page = await browser.OpenAsync(studio, "/features?view=map");
        await page.Locator(".map canvas").FocusAsync();
        await page.WaitForFunctionAsync(StudioPage.MapIsDrawn);
        await page.Keyboard.PressAsync("ArrowRight");
        await page.Locator(".map .tip").WaitForAsync();

        await AssertCleanAsync(page);
    }

    [Fact]
    public async Task Features_EmptySearch_HasNoViolation()
    {
        var page = await browser.OpenAsync(studio, "/features?search=zzzzqq");
        await page.GetByText("No feature matches").WaitForAsync();

        await AssertCleanAsync(page);
    }

    internal static async Task AssertCleanAsync(IPage page)
    {
        // Injected by the debugger, because the page's policy blocks foreign scripts.
        await page.EvaluateAsync(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "axe.min.js")));
        foreach (var (width, height) in Sizes)
        {
            await page.SetViewportSizeAsync(width, height);
            foreach (var theme in new[] { "dark", "light" })
            {
                await page.EvaluateAsync("theme => { document.documentElement.dataset.theme = theme; }", theme);
                // During a transition, colours lie between the two themes.
                var found = await page.EvaluateAsync<JsonElement>("""
                    async () => {
                        await Promise.all(document.getAnimations().filter(one => one instanceof CSSTransition)
                            .map(one => one.finished.catch(() => { })));
                        return (await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] })).violations
                            .map(one => `${one.id}: ${one.nodes.map(node => node.html.slice(0, 160)).join(' | ')}`);
                    }
                    """);
                Assert.Equal([], found.EnumerateArray().Select(one => $"{theme}, {width} wide: {one.GetString()}"));
            }
            Assert.True(await page.EvaluateAsync<bool>("() => document.documentElement.scrollWidth <= innerWidth"),
                $"at a width of {width} the page scrolls sideways");
        }
    }
}
