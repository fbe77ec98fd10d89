using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class FeaturesPageTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task Address_OfASearchOrMap_RestoresIt()
    {
        var page = await browser.OpenAsync(studio, "/features");
        await page.Locator(".gallery li").First.WaitForAsync();
        await page.GetByRole(AriaRole.Searchbox).FillAsync("snow");
        await page.Locator(".sites [data-site='up.0.1']").ClickAsync();
        await page.GetByLabel("Sort by").SelectOptionAsync("Number");
        await page.AddressAsync("/features?search=snow&site=up.0.1&sort=number");
        await page.WaitForFunctionAsync(
            "() => { const numbers = [...document.querySelectorAll('.gallery li[data-site=\"up.0.1\"] .mono')].map(one => "
            + "+one.textContent.slice(1)); return numbers.length > 20 && numbers.every((one, i) => !i || numbers[i - 1] < one); }");
        var (count, first) = await SeenAsync();

        await page.ReloadAsync();
        await page.WaitForFunctionAsync(
            "() => document.querySelector('main[data-live]') && document.querySelectorAll('.gallery li').length && "
            + "document.querySelector('.page [role=status]').textContent");
        Assert.Equal("snow", await page.GetByRole(AriaRole.Searchbox).InputValueAsync());
        Assert.Equal((count, first), await SeenAsync());

        await page.Locator(".gallery a").First.ClickAsync();
        await page.AddressAsync("/features/up.0.1/*");
        await page.GoBackAsync();
        await page.WaitForFunctionAsync(
            "() => document.querySelector('input[type=search]')?.value === 'snow' && document.querySelectorAll('.gallery li').length && "
            + "document.querySelector('.page [role=status]').textContent");
        Assert.Equal((count, first), await SeenAsync());

        await page.GetByRole(AriaRole.Button, new() { Name = "Map" }).ClickAsync();
        await page.AddressAsync("/features?search=snow&site=up.0.1&sort=number&view=map");
        await page.ReloadAsync();
        await page.WaitForFunctionAsync(StudioPage.MapIsDrawn);
        Assert.Equal(["up.0.1"], await SitesAsync(page));
        await page.GoBackAsync();
        await page.AddressAsync("/features?search=snow&site=up.0.1&sort=number");

        async Task<(string?, string?)> SeenAsync() =>
            (await page.Locator(".page [role=status]").First.TextContentAsync(),
                await page.Locator(".gallery .mono").First.TextContentAsync());
    }

    [Fact]
    public async Task Map_ByKeysMouseAndTouch_OpensTheFeature()
    {
        var page = await browser.OpenAsync(studio, "/features?view=map&site=mid.0", 390, 844, touch: true);
        var (canvas, tip) = (page.Locator(".map canvas"), page.Locator(".map .tip"));
        await canvas.FocusAsync();
        await page.WaitForFunctionAsync(StudioPage.MapIsDrawn);

        await page.Keyboard.PressAsync("ArrowRight");
        var first = await tip.TextContentAsync();
        await page.Keyboard.PressAsync("ArrowRight");
        var second = await tip.TextContentAsync();
        Assert.NotEqual(first, second);
        Assert.StartsWith($"{second}. Enter", await page.Locator("[data-announcement]").TextContentAsync());
        await page.Keyboard.PressAsync("ArrowLeft");
        await page.Keyboard.PressAsync("Enter");
        await IsAtAsync();

        await page.GoBackAsync();
        await page.WaitForFunctionAsync(StudioPage.MapIsDrawn);
        // The first tap shows the feature; the second opens it.
        var place = await page.EvaluateAsync<float[]>("""
            () => {
                const canvas = document.querySelector('.map canvas');
                const { data, width, height } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                const box = canvas.getBoundingClientRect();
                for (let i = 4 * width * Math.floor(height / 3) + 3; ; i += 4)
                    // Dots have the site's blue; names are grey.
                    if (data[i] > 100 && data[i - 1] > data[i - 3] + 60)
                        return [(i >> 2) % width * box.width / width, Math.floor((i >> 2) / width) * box.height / height];
            }
            """);
        await canvas.TapAsync(new() { Position = new() { X = place[0], Y = place[1] } });
        await tip.WaitForAsync();
        Assert.Contains("view=map", page.Url);
        await canvas.TapAsync(new() { Position = new() { X = place[0], Y = place[1] } });
        await IsAtAsync();

        await page.GoBackAsync();
        await page.WaitForFunctionAsync(StudioPage.MapIsDrawn);
        await canvas.ClickAsync(new() { Position = new() { X = place[0], Y = place[1] } });
        await IsAtAsync();

        async Task IsAtAsync()
        {
            await page.AddressAsync("/features/mid.0/*");
            await page.WaitForFunctionAsync(
                "() => document.querySelector('.head .mono')?.textContent === `mid.0 #${location.pathname.split('/').at(-1)}`");
        }
    }

    [Fact]
    public async Task Map_OfAllSites_HighlightsASearchAndKeepsItsPlace()
    {
        var page = await browser.OpenAsync(studio, "/features?view=map");
        await page.WaitForFunctionAsync(StudioPage.MapIsDrawn);
        Assert.Equal(["down.2.1", "mid.0", "up.0.0", "up.0.1"], await SitesAsync(page));
        var plain = await page.PixelsAsync(".map canvas");

        await page.GetByRole(AriaRole.Searchbox).FillAsync("snow");
        await page.GetByText(" features are highlighted").WaitForAsync();
        await page.AddressAsync("/features?view=map&search=snow");
        // The others fade, but not all do.
        Assert.InRange(Opaque(await page.PixelsAsync(".map canvas")), Opaque(plain) * .2, Opaque(plain) * .95);

        await page.Locator(".sites [data-site='mid.0']").ClickAsync();
        await page.AddressAsync("/features?view=map&search=snow&site=mid.0");
        await page.GoBackAsync();
        await page.AddressAsync("/features?view=map&search=snow");
        await page.WaitForFunctionAsync("() => document.querySelectorAll('.map [hidden][data-site]').length === 4");

        // What one sees of the map is still there after a feature's page.
        var canvas = page.Locator(".map canvas");
        await canvas.FocusAsync();
        for (var i = 0; i < 8; i++)
            await page.Keyboard.PressAsync("+");
        await page.WaitForFunctionAsync("() => location.search.includes('at=')");
        await page.Keyboard.PressAsync("ArrowRight");
        await page.Locator(".map .tip img[src*='/tiles/']").WaitForAsync();
        await page.WaitForTimeoutAsync(1000);
        var address = new Uri(page.Url).PathAndQuery;
        await page.Keyboard.PressAsync("Enter");
        await page.Locator(".figures").WaitForAsync();
        await page.GoBackAsync();
        await page.AddressAsync(address);
        await page.WaitForFunctionAsync(StudioPage.MapIsDrawn);
        Assert.Equal(address, new Uri(page.Url).PathAndQuery);
    }

    [Fact]
    public async Task FeaturePage_OfTheAtlas_HasExamplesAHistogramAndFeaturesActiveWithIt()
    {
        var page = await browser.OpenAsync(studio, "/features/down.2.1/39");
        foreach (var title in new[] { "Strongest pictures", "Random pictures in which it is active", "Pictures in which it is weak" })
            Assert.True(await page.Locator($"h2:text-is('{title}') + ul > li").CountAsync() > 2, title);
        Assert.StartsWith("Histogram of ", await page.Locator(".histogram").GetAttributeAsync("aria-label"));
        Assert.True(await page.Locator(".near li[data-site='mid.0']").CountAsync() > 0, "no feature of another site is active with it");

        await page.GetByRole(AriaRole.Button, new() { Name = "Show strengths and icon" }).ClickAsync();
        await page.WaitForFunctionAsync(
            "() => document.querySelectorAll('.strip img').length > 7 && !document.querySelector('.strip .empty')");
        Assert.Contains("of test pictures", await page.Locator(".figures").TextContentAsync());
        var card = (await studio.Client.GetFromJsonAsync<JsonElement>("/api/v1/models/default/features/down.2.1/39",
            TestContext.Current.CancellationToken)).GetProperty("card").GetProperty("effect");
        var strengths = new double[] { -20, -10, -5, 0, 5, 10, 20 }.Append(card.GetProperty("strength").GetDouble()).Distinct().Order();
        Assert.Equal(strengths.Select(one => one.ToString("+0;−0;0", CultureInfo.InvariantCulture)
            + (one == card.GetProperty("strength").GetDouble() ? " good" : "")).Append("icon"),
            (await page.Locator(".strip figcaption").AllTextContentsAsync()).Select(text => text.Trim()));
        await AxeTests.AssertCleanAsync(page);
    }

    [Fact]
    public async Task Search_Word_FindsWhatFeaturesAreAbout()
    {
        var hits = (await studio.Client.GetFromJsonAsync<JsonElement>("/api/v1/models/default/features?text=snow&limit=500",
            TestContext.Current.CancellationToken)).GetProperty("hits").EnumerateArray().Select(hit => hit.GetProperty("card")).ToArray();

        Assert.True(hits.Length > 10, "too few");
        Assert.All(hits, card => Assert.Contains("snow", $"{card.GetProperty("name")} {card.GetProperty("words")}"));
        Assert.All(hits.Take(10), card => Assert.Equal("snow", card.GetProperty("name").GetString()));
    }

    // Number of pixels that hide more than half of what lies behind them.
    private static int Opaque(byte[] pixels) => Enumerable.Range(0, pixels.Length / 4).Count(i => pixels[4 * i + 3] > 127);

    private static async Task<string?[]> SitesAsync(IPage page) =>
        await page.EvaluateAsync<string?[]>(
            "() => [...document.querySelectorAll('.map [hidden][data-site]')].map(one => one.dataset.site)");

    [Fact]
    public async Task Similar_Features_AreNearestFirstAndLinkToTheirPages()
    {
        var page = await browser.OpenAsync(studio, "/features/down.2.1/1");
        await page.Locator(".near a").First.WaitForAsync();
        var cosines =
            (await page.Locator("section:has(> h2:text-is('Similar directions')) .near a > .mono")
                .AllTextContentsAsync()).Select(text => double.Parse(text, CultureInfo.InvariantCulture))
            .ToArray();
        Assert.All(cosines, cosine => Assert.InRange(cosine, SimilarFeature.LeastCosine, 1));
        Assert.Equal(cosines.OrderDescending(), cosines);
        Assert.DoesNotContain("/features/down.2.1/1",
            await page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('.near a')].map(a => a.getAttribute('href'))"));

        var name = await page.Locator(".near strong").Last.TextContentAsync();
        await page.Locator(".near a").Last.ClickAsync();
        await page.WaitForFunctionAsync(
            "name => document.querySelector('h1').textContent.toLowerCase() === name.toLowerCase() && location.pathname !== "
            + "'/features/down.2.1/1'", name);
    }
}
