using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class OtherPagesTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task Explore_Hovering_RanksTheFeaturesUnderTheCursorWithoutTheServer()
    {
        var page = await browser.OpenAsync(studio, "/explore");
        await page.PictureAsync();
        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        await page.Context.SetOfflineAsync(true);

        await page.Mouse.MoveAsync(box.X + box.Width * .5f, box.Y + box.Height * .1f);
        await page.WaitForFunctionAsync("() => document.querySelectorAll('[data-under] .row').length > 0");
        var above = await page.Locator("[data-under]").TextContentAsync();
        await page.Mouse.MoveAsync(box.X + box.Width * .5f, box.Y + box.Height * .9f);

        Assert.NotEqual(above, await page.Locator("[data-under]").TextContentAsync());
        var shares = await page.EvaluateAsync<double[]>("() => [...document.querySelectorAll('[data-under] meter')].map(one => one.value)");
        Assert.Equal(shares.OrderDescending(), shares);
    }

    [Fact]
    public async Task Explore_AreaOfAFeature_BecomesAMask()
    {
        var page = await browser.OpenAsync(studio, "/explore");
        await page.PictureAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Paint its area" }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 1");
        await page.PictureAsync();

        Assert.EndsWith("/", page.Url);
    }

    [Fact]
    public async Task Explore_SiteAblated_ChangesThePicture()
    {
        var page = await browser.OpenAsync(studio, "/explore");
        await page.PictureAsync();
        var before = await page.PixelsAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Ablate composition" }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelector('.tools .button[aria-pressed=true]')");
        await page.PictureAsync();

        Assert.NotEqual(before, await page.PixelsAsync());
    }

    [Fact]
    public async Task Features_Number_LeadsToItsPageAndTheBrush()
    {
        var page = await browser.OpenAsync(studio, "/features");
        await page.Locator(".gallery li").First.WaitForAsync();
        await page.GetByRole(AriaRole.Searchbox).FillAsync("12");
        await page.WaitForFunctionAsync(
            "() => [...document.querySelectorAll('.gallery .mono')].every(one => one.textContent.startsWith('#12'))");
        await page.Locator(".gallery a").First.ClickAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Paint with this" }).ClickAsync();
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 1");

        Assert.Contains("#12", await page.Locator(".layer").TextContentAsync());
    }

    [Fact]
    public async Task Features_ScrolledToTheEnd_RendersOnlyVisibleRows()
    {
        var page = await browser.OpenAsync(studio, "/features");
        await page.Locator(".gallery li").First.WaitForAsync();
        await page.WaitForFunctionAsync(
            "() => document.querySelector('.gallery .row').children.length > 6 && document.querySelector('.gallery .row').children.length "
            + "=== getComputedStyle(document.querySelector('.gallery .row')).gridTemplateColumns.split(' ').length");
        var total = int.Parse((await page.Locator(".page [role=status]").First.TextContentAsync())!.Split(' ')[0],
            System.Globalization.CultureInfo.InvariantCulture);
        var first = await page.Locator(".gallery .mono").First.TextContentAsync();
        Assert.InRange(await page.Locator(".gallery li").CountAsync(), 8, total / 4);

        await page.EvaluateAsync(
            "() => { const room = document.querySelector('main'); room.scrollTop = room.scrollHeight; scrollTo(0, "
            + "document.body.scrollHeight); }");
        await page.WaitForFunctionAsync(
            "first => { const tiles = [...document.querySelectorAll('.gallery .mono')]; return tiles.length > 0 && tiles[0].textContent "
            + "!== first; }", first);

        Assert.InRange(await page.Locator(".gallery li").CountAsync(), 8, total / 4);
    }

    [Fact]
    public async Task FeaturePage_StrengthStrip_ShowsEachStrength()
    {
        var page = await browser.OpenAsync(studio, "/features/up.0.1/1");
        await page.GetByRole(AriaRole.Button, new() { Name = "Show strengths and icon" }).ClickAsync();

        await page.WaitForFunctionAsync("() => document.querySelectorAll('.strip img').length === 8");
    }
}
