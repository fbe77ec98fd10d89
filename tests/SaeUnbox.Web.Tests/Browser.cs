using Microsoft.Playwright;

namespace SaeUnbox.Web.Tests;

/// <summary>The system's Chromium.</summary>
public sealed class Browser : IAsyncLifetime
{
    public const float Patience = 120_000;

    private static readonly string[] Flags =
    [
        "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync",
    ];

    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    public async ValueTask InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        _browser = await _playwright.Chromium.LaunchAsync(new()
        {
            ExecutablePath = Environment.GetEnvironmentVariable("SAEUNBOX_CHROMIUM") ?? "/usr/bin/chromium",
            Args = Flags
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }

    /// <summary>
    /// Opens a page in a new window with empty storage, as somebody who has been here before unless it is the first visit.
    /// </summary>
    internal async Task<IPage> OpenAsync(Uri site, string address = "/", int width = 1440, int height = 900, bool dark = true,
        bool touch = false, bool waitsForPage = true, bool isFirst = false, bool reducesMotion = true)
    {
        var context = await _browser.NewContextAsync(new()
        {
            BaseURL = site.ToString(),
            ViewportSize = new() { Width = width, Height = height },
            HasTouch = touch,
            ColorScheme = dark ? ColorScheme.Dark : ColorScheme.Light,
            ReducedMotion = reducesMotion ? ReducedMotion.Reduce : ReducedMotion.NoPreference,
        });
        if (!isFirst)
            await context.AddInitScriptAsync("try { localStorage.setItem('saeunbox.seen', 'yes'); } catch { }");
        context.SetDefaultTimeout(Patience);
        var page = await context.NewPageAsync();
        await page.GotoAsync(address);
        if (waitsForPage)
            await page.WaitForSelectorAsync("main[data-live]");
        return page;
    }
}

internal static class StudioPage
{
    /// <summary>Whether a page's feature map is drawn.</summary>
    public const string MapIsDrawn =
        "() => { const c = document.querySelector('.map canvas'); return c && c.width > 300 && c.getContext('2d').getImageData(0, 0, "
        + "c.width, c.height).data.some(v => v); }";

    /// <summary>Waits until a picture is shown, no job runs, and the picture is in the history if the page has one.</summary>
    public static async Task PictureAsync(this IPage page)
    {
        await page.WaitForFunctionAsync("() => document.querySelector('.frame') && !document.querySelector('.frame[data-empty]')");
        await page.WaitForFunctionAsync("() => !document.querySelector('.progress:not(.idle)')");
        await page.WaitForFunctionAsync("() => !document.querySelector('.studio[data-tool]') || document.querySelector('.history li')");
    }

    /// <summary>Waits for the page's path and query; a star at the end matches anything.</summary>
    public static async Task AddressAsync(this IPage page, string address)
    {
        // Polled in the page: the driver can miss a change that happens while it starts to wait.
        try
        {
            await page.WaitForFunctionAsync("""
                address => {
                    const here = location.pathname + location.search;
                    return address.endsWith('*') ? here.startsWith(address.slice(0, -1)) : here === address;
                }
                """, address);
        }
        catch (TimeoutException)
        {
            Assert.Fail($"The address is {page.Url} in place of {address}.");
        }
    }

    /// <summary>Waits until the canvas's picture is in the history.</summary>
    public static Task HistoryAsync(this IPage page, int entries) =>
        page.WaitForFunctionAsync("count => document.querySelectorAll('.history li').length >= count", entries);

    /// <summary>Waits until the history shows that its entry of this number, from 1, is the current picture.</summary>
    public static Task ShownAsync(this IPage page, int entry) =>
        page.Locator($".history li:nth-child({entry}) [aria-pressed='true']").WaitForAsync();

    /// <summary>Does something, and waits until the history has the picture of it, as a new entry or in place of one like it.</summary>
    public static async Task ChangePictureAsync(this IPage page, Func<Task> change)
    {
        const string shown = "document.querySelector('.history [aria-pressed=\"true\"] img')?.dataset.picture";
        var before = await page.EvaluateAsync<string?>($"() => {shown}");
        await change();
        await page.WaitForFunctionAsync($"before => ({shown} ?? before) !== before", before);
    }

    /// <summary>Waits until all visible pictures are loaded, including thumbnails and their sheets.</summary>
    public static async Task LoadedAsync(this IPage page)
    {
        await page.WaitForLoadStateAsync(LoadState.NetworkIdle);
        await page.EvaluateAsync("""
            async () => {
                await document.fonts.ready;
                const isSeen = one => {
                    const box = one.getBoundingClientRect();
                    return box.bottom > 0 && box.top < innerHeight && box.width > 0;
                };
                const addresses = new Set([...document.querySelectorAll('img, image')].filter(isSeen)
                    .map(one => one.currentSrc || one.src || one.getAttribute('href')));
                await Promise.all([...addresses].map(address => Object.assign(new Image(), { src: address }).decode()));
                await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            }
            """);
    }

    /// <summary>Returns the pixels of the picture or another canvas, 4 bytes each.</summary>
    public static async Task<byte[]> PixelsAsync(this IPage page, string canvas = ".picture") =>
        Convert.FromBase64String(await page.EvaluateAsync<string>("""
        selector => {
            const canvas = document.querySelector(selector);
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            let text = '';
            for (let i = 0; i < data.length; i += 4096) text += String.fromCharCode(...data.subarray(i, i + 4096));
            return btoa(text);
        }
        """, canvas));

    /// <summary>Returns the mean change of a part of the picture, 0 to 255.</summary>
    public static double Change(byte[] before, byte[] after, Func<double, double, bool> isIn)
    {
        var side = (int)Math.Sqrt(before.Length / 4);
        double sum = 0;
        var count = 0;
        for (var i = 0; i < before.Length; i += 4)
        {
            if (!isIn((i / 4 % side + .5) / side, (i / 4 / side + .5) / side))
                continue;
            sum += Math.Abs(before[i] - after[i]) + Math.Abs(before[i + 1] - after[i + 1]) + Math.Abs(before[i + 2] - after[i + 2]);
            count += 3;
        }
        return sum / count;
    }

    /// <summary>Drags the mouse over the picture. Places are shares of its size.</summary>
    public static async Task StrokeAsync(this IPage page, params (double X, double Y)[] places)
    {
        var box = (await page.Locator(".overlay").BoundingBoxAsync())!;
        for (var i = 0; i < places.Length; i++)
        {
            await page.Mouse.MoveAsync((float)(box.X + places[i].X * box.Width), (float)(box.Y + places[i].Y * box.Height),
                new() { Steps = i == 0 ? 1 : 8 });
            if (i == 0)
                await page.Mouse.DownAsync();
        }
        await page.Mouse.UpAsync();
    }
}
