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
            Width = 512,
            Height = 512,
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
            "() => !location.search.includes('intervention') && !document.querySelector('.tools .button[aria-pressed=true]') && "
            + "document.querySelector('.progress.idle')");
        Assert.Equal(plain, await page.PixelsAsync());

        async Task<byte[]> InterveneAsync(string name)
        {
            await page.GetByRole(AriaRole.Button, new() { Name = name }).ClickAsync();
            await page.WaitForFunctionAsync(
                "name => document.querySelector('.tools .button[aria-pressed=true]')?.ariaLabel === name && "
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
        var page = await browser.OpenAsync(studio, "/explore?prompt=a%20boat%20at%20sea&seed=5");
        await page.PictureAsync();
        await page.Locator(".sites [data-site='up.0.1']").ClickAsync();
        await page.Locator(".active .row[data-site='up.0.1']").First.WaitForAsync();
        // The page shows the explained share that the API returns.
        var explained =
            string.Create(CultureInfo.InvariantCulture, $"they explain {style.GetProperty("explainedVariance").GetDouble():0 %}");
        await page.GetByText(explained).WaitForAsync();
        var number = await page.Locator(".active .row .mono.chip").Nth(1).TextContentAsync();
        var second = int.Parse(number![1..], CultureInfo.InvariantCulture);
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
    public async Task Feature_RemovedOrScaled_IsSeenWithoutHeatAndUndone()
    {
        var page = await browser.OpenAsync(studio, "/explore?prompt=a%20red%20house%20in%20a%20meadow&seed=10");
        await page.PictureAsync();
        await page.WaitForFunctionAsync(IsHot);
        var plain = await page.PixelsAsync();

        await page.GetByRole(AriaRole.Button, new() { Name = "Remove" }).ClickAsync();
        await page.WaitForFunctionAsync("() => location.search.includes('change=') && document.querySelector('.progress.idle')");
        var removed = await PixelsAsync(page, pixels => !pixels.SequenceEqual(plain));
        Assert.False(await page.EvaluateAsync<bool>(IsHot), "the heat hides the change");
        Assert.EndsWith("0", new Uri(page.Url).Query);

        // Reloading shows the same, and the picture before is at hand.
        await page.ReloadAsync();
        await page.PictureAsync();
        Assert.Equal(removed, await page.PixelsAsync());
        await page.GetByRole(AriaRole.Button, new() { Name = "hold to compare" }).HoverAsync();
        await page.Mouse.DownAsync();
        Assert.Equal(plain, await page.PixelsAsync());
        await page.Mouse.UpAsync();
        Assert.Equal(removed, await page.PixelsAsync());

        await page.Locator("#factor").PressAsync("End");
        await page.WaitForFunctionAsync("() => location.search.endsWith('%3A5') && document.querySelector('.progress.idle')");
        await PixelsAsync(page, pixels => !pixels.SequenceEqual(removed) && !pixels.SequenceEqual(plain));
        await page.GetByRole(AriaRole.Button, new() { Name = "Show the heatmap" }).ClickAsync();
        Assert.True(await page.EvaluateAsync<bool>(IsHot), "no heat is shown");

        await page.Locator("h1").PressAsync("Control+z");
        await page.WaitForFunctionAsync("() => location.search.endsWith('%3A0') && document.querySelector('.progress.idle')");
        await PixelsAsync(page, pixels => pixels.SequenceEqual(removed));
        await page.GetByRole(AriaRole.Button, new() { Name = "as it was" }).ClickAsync();
        await page.WaitForFunctionAsync("() => !location.search.includes('change=') && document.querySelector('.progress.idle')");
        await PixelsAsync(page, pixels => pixels.SequenceEqual(plain));
        await page.WaitForFunctionAsync(IsHot);
    }

    [Fact]
    public async Task Activations_OnAllPages_AreMultiplesOfTheMean()
    {
        var page = await browser.OpenAsync(studio, "/explore");
        await page.PictureAsync();
        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        await page.Mouse.MoveAsync(box.X + box.Width * .5f, box.Y + box.Height * .1f);
        await page.WaitForFunctionAsync("() => document.querySelectorAll('[data-under] .row').length > 0");

        foreach (var list in new[] { ".active", "[data-under]" })
        {
            var values = (await page.Locator($"{list} .value").AllTextContentsAsync()).Select(text => text.Trim()).ToArray();
            Assert.All(values, value => Assert.StartsWith("×", value));
            var numbers = values.Select(value => double.Parse(value[1..], CultureInfo.InvariantCulture)).ToArray();
            Assert.Equal(numbers.OrderDescending(), numbers);
        }
        var under = page.Locator("[data-under] .row").First;
        var (site, href) = (await under.GetAttributeAsync("data-site"), await under.Locator("a").GetAttributeAsync("href"));
        var card = await studio.Client.GetFromJsonAsync<JsonElement>($"/api/v1/models/default/{href}");
        var mean = card.GetProperty("card").GetProperty("statistics").GetProperty("mean").GetDouble();
        var raw = double.Parse((await under.Locator(".value").GetAttributeAsync("title"))!.Split(' ')[1], CultureInfo.InvariantCulture);
        Assert.Equal($"×{raw / mean:0.0}", await under.Locator(".value").TextContentAsync());
        Assert.StartsWith($"features/{site}/", href);
    }

    [Fact]
    public async Task Run_OfSeveralSteps_ShowsACurveAndTheMapsOfEachStep()
    {
        var page = await browser.OpenAsync(studio, "/explore?prompt=a%20red%20house%20in%20a%20meadow&seed=10&steps=3");
        await page.PictureAsync();
        var (curve, label) = (page.Locator(".curve"), page.Locator(".steps label"));
        Assert.Equal(3, (await curve.GetAttributeAsync("aria-label"))!.Split(", ").Length);
        Assert.StartsWith("Step 1 of 3", (await label.TextContentAsync())!.Trim());
        var first = await page.PixelsAsync(".overlay");

        await page.Locator("#step").PressAsync("End");
        await page.WaitForFunctionAsync("() => document.querySelector('.steps label').textContent.trim().startsWith('Step 3 of 3')");
        await page.WaitForFunctionAsync("() => document.querySelector('.progress.idle')");

        Assert.NotEqual(first, await page.PixelsAsync(".overlay"));
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

    // Whether any cell is coloured.
    private const string IsHot =
        "() => { const c = document.querySelector('.overlay'); return c.getContext('2d').getImageData(0, 0, c.width, c.height)"
        + ".data.some(value => value); }";

    // Waits until the picture is the expected one, which may come after the page says that its job is done.
    private static async Task<byte[]> PixelsAsync(IPage page, Predicate<byte[]> isExpected)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        var pixels = await page.PixelsAsync();
        for (; !isExpected(pixels); pixels = await page.PixelsAsync())
            await Task.Delay(100, patience.Token);
        return pixels;
    }

    // Of another client, which has limits of its own.
    private async Task MakeSlowPictureAsync(string client, CancellationToken cancellation)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generate")
        {
            Content = JsonContent.Create(new { prompt = "a boat at sea", steps = 20, width = 1024, height = 1024 }),
        };
        request.Headers.Add("X-Forwarded-For", client);
        using var answer = await studio.Client.SendAsync(request, cancellation);
    }
}
