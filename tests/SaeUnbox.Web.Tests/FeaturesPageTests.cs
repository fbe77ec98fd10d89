using System.Globalization;
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
        await page.Locator(".map[data-site='up.0.1']").WaitForAsync();

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
                    if (data[i] > 100) return [(i >> 2) % width * box.width / width, Math.floor((i >> 2) / width) * box.height / height];
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
    public async Task Similar_Features_AreNearestFirstAndLinkToTheirPages()
    {
        var page = await browser.OpenAsync(studio, "/features/down.2.1/1");
        await page.Locator(".near a").First.WaitForAsync();
        var cosines =
            (await page.Locator(".near a > .mono").AllTextContentsAsync()).Select(text => double.Parse(text, CultureInfo.InvariantCulture))
            .ToArray();
        Assert.All(cosines, cosine => Assert.InRange(cosine, SimilarFeature.LeastCosine, 1));
        Assert.Equal(cosines.OrderDescending(), cosines);
        Assert.DoesNotContain("/features/down.2.1/1",
            await page.EvaluateAsync<string[]>("() => [...document.querySelectorAll('.near a')].map(a => a.getAttribute('href'))"));

        var name = await page.Locator(".near strong").First.TextContentAsync();
        await page.Locator(".near a").First.ClickAsync();
        await page.WaitForFunctionAsync(
            "name => document.querySelector('h1').textContent === name && location.pathname !== '/features/down.2.1/1'", name);
    }
}
