namespace SaeUnbox.Web.Hosting;

/// <summary>Tells who started the program where the page is, once pictures can be made there.</summary>
internal static class OpenLine
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(100);

    public static void TellWhenOpen(this WebApplication app) => app.Lifetime.ApplicationStarted.Register(() => _ = TellAsync(app));

    private static async Task TellAsync(WebApplication app)
    {
        var (readiness, stopping) = (app.Services.GetRequiredService<ReadinessFirst>(), app.Lifetime.ApplicationStopping);
        var addresses = string.Join(" and ", app.Urls);
        string? told = null;
        while (!readiness.IsReady && !stopping.IsCancellationRequested)
        {
            if (readiness.Failure is { } failure && failure != told)
                await Console.Error.WriteLineAsync($"saeunbox: no picture can be made at {addresses}: {told = failure}");
            await Task.Delay(Between, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (!stopping.IsCancellationRequested)
            await Console.Out.WriteLineAsync($"saeunbox: the studio is open at {addresses} (Ctrl-C stops it)");
    }
}
