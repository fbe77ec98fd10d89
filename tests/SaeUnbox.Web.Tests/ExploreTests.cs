using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

[Collection(nameof(Studio))]
public sealed class ExploreTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    [Fact]
    public async Task Explore_FromAPaintedPicture_ShowsItWithItsLayersAndAddsToThem()
    {
        var recipe = new Recipe
        {
            Model = "unbox-mini",
            Prompt = "a boat at sea",
            Seed = 5,
            Width = 256,
            Height = 256,
            Edits = [new(Site.Composition, 187, 8)],
        };
        var page = await browser.OpenAsync(studio, $"/#r={recipe.ToLink()}");
        await page.PictureAsync();
        await page.GetByRole(AriaRole.Link, new() { Name = "Explore" }).ClickAsync();
        await page.Locator(".own").Filter(new() { HasText = "Your picture with its layer." }).WaitForAsync();
        Assert.Equal("a boat at sea", await page.Locator("#prompt").InputValueAsync());

        await page.GetByRole(AriaRole.Button, new() { Name = "Paint its area" }).ClickAsync();

        await page.WaitForFunctionAsync("() => document.querySelectorAll('.layer').length === 2");
    }

    [Fact]
    public async Task Heat_OpacityAndColours_FollowTheControls()
    {
        var page = await browser.OpenAsync(studio, "/explore");
        await page.PictureAsync();
        var opacity = page.GetByLabel("Opacity of the heatmap");
        Assert.Equal(153, await MostAsync(page)); // 0.6 of 255

        await opacity.PressAsync("End");
        Assert.Equal(255, await MostAsync(page));
        // The strongest cell has the colour map's last colour.
        foreach (var (map, last) in new[] { ("jet", "128 0 0"), ("viridis", "253 231 37"), ("heat", "255 245 200") })
        {
            await page.GetByLabel("Colours of the heatmap").SelectOptionAsync(map);
            Assert.True(await HasColourAsync(page, last), $"{map} does not end in {last}");
        }

        await opacity.PressAsync("Home");
        Assert.Equal(0, await MostAsync(page));

        static Task<int> MostAsync(IPage page) =>
            page.EvaluateAsync<int>(
                "() => { const c = document.querySelector('canvas.overlay'); return c.getContext('2d').getImageData(0, 0, c.width, "
                + "c.height).data.reduce((most, v, i) => i % 4 === 3 ? Math.max(most, v) : most, 0); }");

        static Task<bool> HasColourAsync(IPage page, string colour) => page.EvaluateAsync<bool>("""
            colour => {
                const canvas = document.querySelector('canvas.overlay');
                const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                for (let i = 0; i < data.length; i += 4) if (`${data[i]} ${data[i + 1]} ${data[i + 2]}` === colour) return true;
                return false;
            }
            """, colour);
    }

    [Fact]
    public async Task Reconstruct_Site_ChangesThePictureLessThanAblatingIt()
    {
        var page = await browser.OpenAsync(studio, "/explore");
        await page.PictureAsync();
        var plain = await page.PixelsAsync();

        var reconstructed = await InterveneAsync("Reconstruct composition");
        Assert.Contains("intervention=reconstruct", page.Url);
        var ablated = await InterveneAsync("Ablate composition");

        Assert.NotEqual(plain, reconstructed);
        var (kept, lost) = (StudioPage.Change(plain, reconstructed, (_, _) => true), StudioPage.Change(plain, ablated, (_, _) => true));
        Assert.True(kept < lost / 2, $"reconstructing changes {kept}, ablating {lost}");

        await page.GetByRole(AriaRole.Button, new() { Name = "Ablate composition" }).ClickAsync();
        await page.WaitForFunctionAsync(
            "() => !location.search.includes('intervention') && !document.querySelector('.tools [aria-pressed=true]') && "
            + "document.querySelector('.progress.idle')");
        Assert.Equal(plain, await page.PixelsAsync());

        async Task<byte[]> InterveneAsync(string name)
        {
            await page.GetByRole(AriaRole.Button, new() { Name = name }).ClickAsync();
            await page.WaitForFunctionAsync(
                "name => document.querySelector('.tools [aria-pressed=true]')?.ariaLabel === name && "
                + "document.querySelector('.progress.idle')", name);
            return await page.PixelsAsync();
        }
    }

    [Fact]
    public async Task Address_OfAView_RestoresIt()
    {
        var answer = await studio.Client.PostAsJsonAsync("/api/v1/explore", new { prompt = "a boat at sea", seed = 5 });
        var style = (await answer.Content.ReadFromJsonAsync<JsonElement>())
            .GetProperty("sites")
            .EnumerateArray()
            .Single(site => site.GetProperty("site").GetString() == "up.0.1");
        var second = style.GetProperty("top")[1].GetProperty("feature").GetInt32();
        var page = await browser.OpenAsync(studio, "/explore?prompt=a%20boat%20at%20sea&seed=5");
        await page.PictureAsync();
        await page.Locator(".sites [data-site='up.0.1']").ClickAsync();
        await page.Locator(".active .row[data-site='up.0.1']").First.WaitForAsync();
        // The page shows the explained share that the API returns.
        var explained =
            string.Create(CultureInfo.InvariantCulture, $"they explain {style.GetProperty("explainedVariance").GetDouble():0 %}");
        await page.GetByText(explained).WaitForAsync();
        await page.Locator(".active .row .pick").Nth(1).ClickAsync();
        var address = $"/explore?prompt=a%20boat%20at%20sea&seed=5&site=up.0.1&feature={second}";
        await page.AddressAsync(address);
        var before = await page.PixelsAsync();

        await page.ReloadAsync();
        await IsShownAsync();
        Assert.Equal("a boat at sea", await page.Locator("#prompt").InputValueAsync());
        Assert.Equal("5", await page.Locator("#seed").InputValueAsync());
        Assert.Equal(before, await page.PixelsAsync());

        await page.GetByRole(AriaRole.Link, new() { Name = "Details" }).ClickAsync();
        await page.AddressAsync($"/features/up.0.1/{second}");
        await page.GoBackAsync();
        await page.AddressAsync(address);
        await IsShownAsync();

        async Task IsShownAsync()
        {
            await page.PictureAsync();
            await page.Locator($".active .row[data-selected] .mono:text-is('#{second}')").WaitForAsync();
            Assert.Equal("style", await page.Locator(".sites [aria-pressed=true]").TextContentAsync());
        }
    }

    [Fact]
    public async Task Share_View_GivesALinkAndAPictureWithItsRecipe()
    {
        var page = await browser.OpenAsync(studio, "/explore?prompt=three%20cats%20by%20day&seed=8");
        await page.Context.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await page.PictureAsync();
        var share = page.GetByRole(AriaRole.Button, new() { Name = "Share" });

        // Opens, enters and closes the menu by keys; the focus returns to its button.
        await share.PressAsync("Enter");
        await page.Locator(".share .menu button").First.WaitForAsync();
        await page.Keyboard.PressAsync("Tab");
        Assert.Equal("Copy a link to this view", await page.EvaluateAsync<string>("() => document.activeElement.textContent"));
        await page.Keyboard.PressAsync("Escape");
        await page.WaitForFunctionAsync("() => !document.querySelector('.share .menu') && document.activeElement.ariaLabel === 'Share'");

        await share.PressAsync("Enter");
        await page.GetByRole(AriaRole.Button, new() { Name = "Copy a link to this view" }).ClickAsync();
        await page.GetByText("Copied the link to this view.").WaitForAsync();
        Assert.Equal(page.Url, await page.EvaluateAsync<string>("() => navigator.clipboard.readText()"));

        var file = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Button, new() { Name = "Save PNG" }).ClickAsync());
        var recipe = Recipe.FromJson(Png.FindText(await File.ReadAllBytesAsync(await file.PathAsync()), Recipe.PngKeyword)!);
        Assert.Equal(("three cats by day", 8), (recipe.Prompt, recipe.Seed));
    }

    [Fact]
    public async Task Work_BehindOthers_ReportsItsPlaceAndCanBeStopped()
    {
        IPage explore = await browser.OpenAsync(studio, "/explore"), strip = await browser.OpenAsync(studio, "/features/up.0.1/1");
        await explore.PictureAsync();
        using var others = new CancellationTokenSource();
        var slow = Enumerable.Range(1, 3).Select(client => MakeSlowPictureAsync($"203.0.113.{client}", others.Token)).ToArray();
        try
        {
            await explore.GetByRole(AriaRole.Button, new() { Name = "Generate" }).ClickAsync();
            await strip.GetByRole(AriaRole.Button, new() { Name = "Show strengths and icon" }).ClickAsync();
            foreach (var page in new[] { explore, strip })
            {
                await page.Locator(".status [role=status]").Filter(new() { HasText = " ahead" }).WaitForAsync();
                await page.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();
                await page.Locator(".status [role=status]:text-is('Stopped.')").WaitForAsync();
                Assert.True(await page.Locator(".status .progress.idle").CountAsync() == 1, "it is still said to be under way");
            }
        }
        finally
        {
            await others.CancelAsync();
            await Task.WhenAll(slow).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }

    // Of another client, which has limits of its own.
    private async Task MakeSlowPictureAsync(string client, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generate")
        {
            Content = JsonContent.Create(new { prompt = "a boat at sea", steps = 20, width = 512, height = 512 }),
        };
        request.Headers.Add("X-Forwarded-For", client);
        using var answer = await studio.Client.SendAsync(request, cancellation);
    }
}
