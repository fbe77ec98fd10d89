using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Microsoft.Playwright;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Tests;

/// <summary>The page behind a short link.</summary>
[Collection(nameof(Studio))]
public sealed class SharedPageTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly Recipe Painted = new()
    {
        Model = "unbox-mini",
        Prompt = "a <red> house in a meadow",
        Width = 512,
        Height = 512,
        Edits = [new(Site.Composition, 62, 8) { Name = "my snowman" }],
    };

    [Fact]
    public async Task Page_ShowsTheLayersAndThePictureBeforeAndAfter()
    {
        var page = await browser.OpenAsync(studio, await ShareAsync(Painted), waitsForPage: false);
        await page.WaitForFunctionAsync(
            "() => [...document.querySelectorAll('figure img')].filter(one => one.complete && one.naturalWidth === 512).length === 2");
        Assert.Equal(Painted.Prompt, await page.Locator("h1").TextContentAsync());
        Assert.Contains("my snowman", await page.Locator("ol li").TextContentAsync());

        await page.Locator("[data-split]").FillAsync("20");

        Assert.Equal("inset(0px 80% 0px 0px)",
            await page.Locator(".before").EvaluateAsync<string>("one => getComputedStyle(one).clipPath"));
        await AxeTests.AssertCleanAsync(page);
    }

    [Fact]
    public async Task Recording_OfAStroke_IsSavedAsAnAnimation()
    {
        var page = await browser.OpenAsync(studio, $"/#r={Painted.ToLink()}");
        await page.PictureAsync();
        await page.StrokeAsync((.3, .6), (.7, .6));
        await page.GetByRole(AriaRole.Button, new() { Name = "Share", Exact = true }).ClickAsync();

        var saved = await page.RunAndWaitForDownloadAsync(
            () => page.GetByRole(AriaRole.Button, new() { Name = "Save how it was painted (GIF)" }).ClickAsync());

        Assert.Equal("a-red-house-in-a-meadow-42.gif", saved.SuggestedFilename);
        var file = await File.ReadAllBytesAsync(await saved.PathAsync(), TestContext.Current.CancellationToken);
        Assert.Equal("GIF89a"u8, file.AsSpan(0, 6));
        Assert.Equal((384, 384), (BitConverter.ToUInt16(file, 6), BitConverter.ToUInt16(file, 8)));
        Assert.Equal(HttpStatusCode.NotFound, (await studio.Client.GetAsync("canvases/00/painting.gif")).StatusCode);
    }

    [Fact]
    public async Task OpenInTheStudio_OverOnesOwnLayers_IsTakenBackByOneUndo()
    {
        var mine = Painted with { Prompt = "a boat at sea", Edits = [new(Site.Style, 3, 5)] };
        var page = await browser.OpenAsync(studio, $"/#r={mine.ToLink()}");
        await page.PictureAsync();
        await page.GotoAsync(await ShareAsync(Painted));
        await page.GetByRole(AriaRole.Link, new() { Name = "Open in the studio" }).ClickAsync();
        await page.PictureAsync();
        Assert.Equal(Painted.Prompt, await page.Locator("#prompt").InputValueAsync());

        await page.GetByRole(AriaRole.Button, new() { Name = "Undo", Exact = true }).ClickAsync();

        await page.WaitForFunctionAsync("prompt => document.querySelector('#prompt').value === prompt", mine.Prompt);
    }

    [Fact]
    public async Task Card_OfAPaintedPicture_ShowsBeforeAndAfterInTheSizeThatChatsWant()
    {
        var address = await ShareAsync(Painted);
        var html = await studio.Client.GetStringAsync(address, TestContext.Current.CancellationToken);
        Assert.Contains($"{studio.Address}{address[1..]}/card.jpg", html);
        Assert.Contains("a &lt;red&gt; house", html);

        var card = Picture.Decode(await studio.Client.GetByteArrayAsync($"{address}/card.jpg", TestContext.Current.CancellationToken));

        Assert.Equal((1200, 630), (card.Width, card.Height));
        var left = PictureScaling.Resize(card, 0, 18, 594, 594, 64, 64).Pixels.ToArray();
        var right = PictureScaling.Resize(card, 606, 18, 594, 594, 64, 64).Pixels.ToArray();
        Assert.True(left.Zip(right, (one, other) => Math.Abs(one - other)).Average() > 2, "before and after look alike");
        using var head = await studio.Client.SendAsync(
            new(HttpMethod.Head, $"{address}/card.jpg"), TestContext.Current.CancellationToken);
        Assert.True(head.IsSuccessStatusCode);
    }

    [Theory]
    [InlineData("A red house, in a meadow!", "a-red-house-in-a-meadow-42")]
    [InlineData("../../etc/passwd", "etc-passwd-42")]
    [InlineData("Größe", "größe-42")]
    [InlineData("", "picture-42")]
    public void FileName_OfAPrompt_IsItsWords(string prompt, string name) =>
        Assert.Equal(name, FileNames.Of(Painted with { Prompt = prompt }));

    private async Task<string> ShareAsync(Recipe recipe)
    {
        using var body = new StringContent(recipe.ToJson(), Encoding.UTF8, "application/json");
        var answer = await studio.Client.PostAsync("/api/v1/recipes", body, TestContext.Current.CancellationToken);
        return (await answer.Content.ReadFromJsonAsync<JsonElement>(TestContext.Current.CancellationToken)).GetProperty("address")
            .GetString()!;
    }
}
