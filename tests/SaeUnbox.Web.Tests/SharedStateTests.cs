using System.Buffers.Binary;
using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.Playwright;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Tests;

/// <summary>Recipes that move between links, pictures, the API and drafts.</summary>
[Collection(nameof(Studio))]
public sealed class SharedStateTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly BrushMask LowerHalf = BrushMask.FromCells(16, 16, [.. Enumerable.Range(0, 256).Select(i => i < 128 ? 0f : 1f)]);

    // Differs from the first picture in its prompt and layers.
    private static readonly Recipe Painted = new()
    {
        Model = "unbox-mini",
        Prompt = "a red house in a meadow",
        Seed = 5,
        Width = 512,
        Height = 512,
        Edits = [
            new FeatureEdit(Site.Composition, 1, 20) { Mask = LowerHalf },
            new FeatureEdit(Site.Style, 3, -10)
        ],
    };

    [Fact]
    public async Task Api_RecipeOfThePage_GivesTheSamePixels()
    {
        var page = await OpenAsync($"/#r={Painted.ToLink()}");
        Assert.Equal(Painted, await RecipeAsync(page));

        Assert.Equal(await page.PixelsAsync(), await PixelsOfAsync(page, await GenerateAsync(Painted, "image/jpeg")));
    }

    [Fact]
    public async Task ShortLink_Opened_ShowsTheStudioWithTheRecipe()
    {
        using var answer = await studio.Client.PostAsync("/api/v1/recipes", Json(Painted));
        var address = answer.Headers.Location!.ToString();

        var page = await browser.OpenAsync(studio, address, waitsForPage: false);
        await page.GetByRole(AriaRole.Link, new() { Name = "Open in the studio" }).ClickAsync();
        await page.PictureAsync();

        Assert.EndsWith("/", page.Url);
        Assert.Equal(Painted, await RecipeAsync(page));
        Assert.Equal(2, await page.Locator(".layer").CountAsync());
        Assert.Equal(await PixelsOfAsync(page, await GenerateAsync(Painted, "image/jpeg")), await page.PixelsAsync());
    }

    [Fact]
    public async Task SavePng_OfAPainting_HasItsPixelsAndRecipe()
    {
        var page = await OpenAsync($"/#r={Painted.ToLink()}");

        var saved = await page.RunAndWaitForDownloadAsync(() => page.GetByRole(AriaRole.Button, new() { Name = "Save PNG" }).ClickAsync());

        Assert.Equal($"{FileNames.Of(Painted)}.png", saved.SuggestedFilename);
        Assert.Equal(await GenerateAsync(Painted, "image/png"), await File.ReadAllBytesAsync(await saved.PathAsync()));
    }

    [Fact]
    public async Task SavePng_ServerRefuses_SaysWhyAndKeepsTheStudio()
    {
        var page = await OpenAsync("/");
        await page.RouteAsync("**/api/v1/generate",
            route => route.FulfillAsync(new()
            {
                Status = 503,
                ContentType = "application/problem+json",
                Body = """{"detail":"The model is away."}"""
            }));

        await page.GetByRole(AriaRole.Button, new() { Name = "Save PNG" }).ClickAsync();

        await AlertAsync(page, "The model is away.");
        await page.Locator("#prompt").FillAsync("a boat at sea");
        await page.GetByRole(AriaRole.Button, new() { Name = "Generate" }).ClickAsync();
        await page.HistoryAsync(2);
    }

    [Fact]
    public async Task Drop_SavedPainting_RestoresItsLayersAndPixels()
    {
        var source = await OpenAsync($"/#r={Painted.ToLink()}");
        var page = await OpenAsync("/");

        await DropAsync(page, await GenerateAsync(Painted, "image/png"));
        await page.HistoryAsync(2);

        Assert.Equal(Painted, await RecipeAsync(page));
        Assert.Equal(2, await page.Locator(".layer").CountAsync());
        Assert.Equal(await source.PixelsAsync(), await page.PixelsAsync());
    }

    [Fact]
    public async Task Drop_PictureOfAnotherModel_KeepsItsPromptAndNamesWhatWasDropped()
    {
        var page = await OpenAsync("/");

        await DropAsync(page,
            Png("tEXt", Encoding.Latin1.GetBytes($"saeunbox.recipe\0{(Painted with { Model = "sdxl-turbo" }).ToJson()}")));

        await AlertAsync(page, "needs the model sdxl-turbo");
        await page.HistoryAsync(2);
        var recipe = await RecipeAsync(page);
        Assert.Equal(("unbox-mini", Painted.Prompt, Painted.Seed, 0), (recipe.Model, recipe.Prompt, recipe.Seed, recipe.Edits.Count));
    }

    [Fact]
    public async Task Drop_TextBomb_IsNotRead()
    {
        var page = await OpenAsync("/");
        using var packed = new MemoryStream();
        packed.Write("saeunbox.recipe\0\0"u8);
        using (var zlib = new ZLibStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
            zlib.Write(new byte[64 << 20]);

        await DropAsync(page, Png("zTXt", packed.ToArray()));

        await AlertAsync(page, "more than 2097152 bytes long");
    }

    [Fact]
    public async Task Drop_LongRecipe_IsReadByTheServer()
    {
        var page = await OpenAsync("/");
        // In a message to the server each quote and each backslash takes two bytes.
        var prompt = string.Concat(Enumerable.Repeat("\\\"", 900_000));

        await DropAsync(page, Png("tEXt", Encoding.Latin1.GetBytes($$"""saeunbox.recipe{{'\0'}}{"prompt":"{{prompt}}"}""")));

        await AlertAsync(page, "prompt");
    }

    [Fact]
    public async Task Link_WithUnusableEdits_NamesThemAndKeepsTheOthers()
    {
        var wrong = Painted with
        {
            Edits = [
                new FeatureEdit(Site.Composition, 9999, 5),
                .. Painted.Edits,
                new FeatureEdit(Site.Details, 1, 5) { Mask = BrushMask.FromCells(3, 3, new float[9]) }
            ]
        };

        var page = await OpenAsync($"/#r={wrong.ToLink()}");

        await AlertAsync(page, "edits[0].feature is 9999");
        await AlertAsync(page, "edits[3].mask is 3 x 3 cells");
        Assert.Equal(Painted, await RecipeAsync(page));
    }

    [Fact]
    public async Task Link_PastedIntoAnOpenStudio_CanBeUndone()
    {
        var page = await OpenAsync("/");
        var before = await RecipeAsync(page);

        await page.EvaluateAsync("link => { location.hash = `r=${link}`; }", Painted.ToLink());
        await page.HistoryAsync(2);
        Assert.Equal(Painted, await RecipeAsync(page));
        Assert.DoesNotContain("#", page.Url);

        await page.EvaluateAsync("() => { location.hash = 'r=AAAA'; }");
        await AlertAsync(page, "This link cannot be read");
        await page.GetByRole(AriaRole.Button, new() { Name = "Undo", Exact = true }).ClickAsync();
        await page.ShownAsync(1);
        Assert.Equal(before, await RecipeAsync(page));
    }

    [Fact]
    public async Task Drafts_OfTwoTabs_AreSeparateAndANewTabGetsTheLatest()
    {
        var first = await OpenAsync("/");
        await GenerateAsync(first, "a boat at sea");
        var second = await first.Context.RunAndWaitForPageAsync(() => first.EvaluateAsync("() => { open('/'); }"));
        await LiveAsync(second);
        // A duplicated tab starts with the state of the original.
        Assert.Equal("a boat at sea", await second.Locator("#prompt").InputValueAsync());
        await GenerateAsync(second, "a cactus on sand");

        await first.ReloadAsync();
        await LiveAsync(first);
        Assert.Equal("a boat at sea", await first.Locator("#prompt").InputValueAsync());
        await GenerateAsync(first, "a snowman on snow");
        await second.ReloadAsync();
        await LiveAsync(second);
        Assert.Equal("a cactus on sand", await second.Locator("#prompt").InputValueAsync());

        await GenerateAsync(first, "three cats by day");
        await first.CloseAsync();
        var third = await second.Context.NewPageAsync();
        await third.GotoAsync("/");
        await LiveAsync(third);
        Assert.Equal("three cats by day", await third.Locator("#prompt").InputValueAsync());
    }

    private async Task<IPage> OpenAsync(string address)
    {
        var page = await browser.OpenAsync(studio, address);
        await page.PictureAsync();
        return page;
    }

    private static async Task LiveAsync(IPage page)
    {
        await page.WaitForSelectorAsync("main[data-live]");
        await page.PictureAsync();
    }

    private static async Task GenerateAsync(IPage page, string prompt)
    {
        var entries = await page.Locator(".history li").CountAsync();
        await page.Locator("#prompt").FillAsync(prompt);
        await page.GetByRole(AriaRole.Button, new() { Name = "Generate" }).ClickAsync();
        await page.HistoryAsync(entries + 1);
    }

    private static Task AlertAsync(IPage page, string words) =>
        page.GetByRole(AriaRole.Alert).Filter(new() { HasText = words }).WaitForAsync();

    private static async Task<Recipe> RecipeAsync(IPage page) =>
        Recipe.FromJson(await page.EvaluateAsync<string>("() => sessionStorage.getItem('saeunbox.draft')"));

    private async Task<byte[]> GenerateAsync(Recipe recipe, string type)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/generate") { Content = Json(recipe) };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(type));
        using var answer = await studio.Client.SendAsync(request);
        return await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
    }

    private static StringContent Json(Recipe recipe) => new(recipe.ToJson(), Encoding.UTF8, "application/json");

    // Decodes the picture in the browser, as the page does.
    private static async Task<byte[]> PixelsOfAsync(IPage page, byte[] picture) =>
        Convert.FromBase64String(await page.EvaluateAsync<string>("""
        async text => {
            const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(text), c => c.charCodeAt(0))], { type: 'image/jpeg' }));
            const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
            context.drawImage(bitmap, 0, 0);
            const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
            let pixels = '';
            for (let i = 0; i < data.length; i += 4096) pixels += String.fromCharCode(...data.subarray(i, i + 4096));
            return btoa(pixels);
        }
        """, Convert.ToBase64String(picture)));

    private static Task DropAsync(IPage page, byte[] file) => page.EvaluateAsync("""
        text => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(atob(text), c => c.charCodeAt(0))], 'picture.png', { type: 'image/png' }));
            document.querySelector('.studio').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        }
        """, Convert.ToBase64String(file));

    // A file with one chunk is enough, because the page only looks for text.
    private static byte[] Png(string kind, byte[] chunk)
    {
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, chunk.Length);
        return [0x89, .. "PNG\r\n"u8, 0x1a, .. "\n"u8, .. length, .. Encoding.ASCII.GetBytes(kind), .. chunk, 0, 0, 0, 0];
    }
}
