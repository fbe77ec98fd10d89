using System.Text.Json;

namespace SaeUnbox.Web.Tests;

/// <summary>Formats that C# and JavaScript both read and write.</summary>
[Collection(nameof(Studio))]
public sealed class SharedFormatTests(Studio studio, Browser browser) : IClassFixture<Browser>
{
    private static readonly Func<int, double>[] Fills =
    [
        _ => 0, _ => 1, i => i < 300 ? 1 : 0, i => i % 256 / 255.0, i => i % 1025 / 1024.0, i => i / 4097.0,
    ];

    [Fact]
    public async Task Masks_InTheBrowser_HaveTheCellsAndTheTextOfTheServer()
    {
        var page = await browser.OpenAsync(studio.Address, "/healthz", waitsForPage: false);
        foreach (var fill in Fills)
        {
            var mask = BrushMask.FromCells(64, 32, [.. Enumerable.Range(0, 2048).Select(i => (float)fill(i))]);
            var found = await page.EvaluateAsync<JsonElement>("""
                async text => {
                    const { read, write } = await import('/js/masks.js');
                    const mask = read(text);
                    return { rows: mask.rows, cells: [...mask.cells], text: write(mask) };
                }
                """, mask.ToString());
            int[] levels = [.. found.GetProperty("cells").EnumerateArray().Select(cell => cell.GetInt32())];
            var rounded = BrushMask.FromCells(64, 32, [.. levels.Select(level => level / 255f)]);

            Assert.Equal(64, found.GetProperty("rows").GetInt32());
            Assert.All(levels.Zip(mask.Cells.ToArray()), pair => Assert.InRange(pair.First - 255 * pair.Second, -.5001f, .5001f));
            Assert.Equal(rounded.ToString(), found.GetProperty("text").GetString());
        }
    }

    [Fact]
    public async Task RecipeOfAPng_InTheBrowser_EqualsTheServers()
    {
        var page = await browser.OpenAsync(studio.Address, "/healthz", waitsForPage: false);
        const string Recipe = """{"prompt":"naïve 日本語 👩‍🚀"}""";
        var file = Png.Encode(new Picture(1, 1, 3, [1, 2, 3]),
            new Dictionary<string, string> { ["Software"] = "SaeUnbox", ["saeunbox.recipe"] = Recipe });

        var found = await page.EvaluateAsync<string>("""
            async base64 => {
                const { recipeOf } = await import('/js/png-text.js');
                return recipeOf(new Blob([Uint8Array.from(atob(base64), c => c.charCodeAt(0))]));
            }
            """, Convert.ToBase64String(file));

        Assert.Equal(Recipe, found);
    }
}
