using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>Reads the painted mask from the browser's draft.</summary>
internal static class PaintedMask
{
    // Imported at every look, so that a page that is just being loaded again is waited for. Playwright does not await what it polls.
    private const string Modules = """
        globalThis.modules ??= Promise.all([import('/js/masks.js'), import('/js/draft.js')]).then(([masks, draft]) => {
            globalThis.readMask = masks.read;
            globalThis.findDraft = draft.find;
        });
        """;

    /// <summary>
    /// Waits until all strokes have arrived and a condition holds, and returns the first layer's mask. The condition is a JavaScript
    /// function of { rows, columns, cells }, with cells from 0 to 255.
    /// </summary>
    public static async Task<BrushMask> MaskWhereAsync(this IPage page, string isSo)
    {
        var found = await page.WaitForFunctionAsync($$"""
            () => {
                {{Modules}}
                const { draft, pendingMask } = globalThis.findDraft?.() ?? {};
                return draft && !pendingMask && ({{isSo}})(readMask(JSON.parse(draft).edits[0].mask)) && draft;
            }
            """);
        return Recipe.FromJson(await found.JsonValueAsync<string>()).Edits[0].Mask!;
    }

    /// <summary>Whether nothing is painted and all strokes have arrived.</summary>
    public static Task<bool> IsBlankAsync(this IPage page) =>
        page.EvaluateAsync<bool>($$"""
            async () => {
                {{Modules}}
                await globalThis.modules;
                const { draft, pendingMask } = findDraft();
                return !pendingMask && readMask(JSON.parse(draft).edits[0].mask).cells.every(cell => cell === 0);
            }
            """);

    /// <summary>The condition that a place of the picture is painted, for <see cref="MaskWhereAsync"/>.</summary>
    public static string At((double X, double Y) place) =>
        FormattableString.Invariant(
            $"mask => mask.cells[Math.floor({place.Y} * mask.rows) * mask.columns + Math.floor({place.X} * mask.columns)] > 127");

    /// <summary>Returns the mask's value at a place of the picture, 0 to 1.</summary>
    public static double Value(this BrushMask mask, (double X, double Y) place) =>
        mask.Cells[(int)(place.Y * mask.Rows) * mask.Columns + (int)(place.X * mask.Columns)];

    public static double Sum(this BrushMask mask) => mask.Cells.ToArray().Sum(cell => (double)cell);

    /// <summary>Opens a page with a picture and one blank layer.</summary>
    public static async Task<IPage> OpenLayerAsync(this Browser browser, Studio studio, string address = "/", int width = 1440,
        int height = 900, bool touch = false)
    {
        var page = await browser.OpenAsync(studio, address, width, height, touch: touch);
        await page.PictureAsync();
        await page.ChangePictureAsync(() => page.Locator(".right .row .pick").First.ClickAsync());
        await page.Locator(".layer").WaitForAsync();
        return page;
    }

    public static async Task SetBrushAsync(this IPage page, string slider, string value)
    {
        await page.GetByLabel(slider).FillAsync(value);
        await page.WaitForFunctionAsync(
            "value => [...document.querySelectorAll('.left output')].some(output => +output.textContent === +value)", value);
    }

    /// <summary>Moves the mouse to a place of the picture.</summary>
    public static async Task MoveAsync(this IPage page, double x, double y)
    {
        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        await page.Mouse.MoveAsync((float)(box.X + x * box.Width), (float)(box.Y + y * box.Height), new() { Steps = 8 });
    }

    public static ILocator Button(this IPage page, string name) => page.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });
}
