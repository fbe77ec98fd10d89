using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

/// <summary>Writes the page's address to the console once the studio can make pictures.</summary>
internal static class StartupMessage
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(100);

    public static void AnnounceWhenReady(this WebApplication app) => app.Lifetime.ApplicationStarted.Register(() => _ = AnnounceAsync(app));

    private static async Task AnnounceAsync(WebApplication app)
    {
        var (readiness, stopping) = (app.Services.GetRequiredService<Readiness>(), app.Lifetime.ApplicationStopping);
        var prefix = app.Services.GetRequiredService<IOptions<HostingOptions>>().Value.PathBase;
        var addresses = string.Join(" and ", app.Urls.Select(url => url + prefix));
        string? reported = null;
        while (!readiness.IsReady && !stopping.IsCancellationRequested)
        {
            if (readiness.Failure is { } failure && failure != reported)
                await Console.Error.WriteLineAsync($"saeunbox: the studio at {addresses} cannot make pictures: {reported = failure}");
            await Task.Delay(PollInterval, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (!stopping.IsCancellationRequested)
            await Console.Out.WriteLineAsync($"saeunbox: the studio is open at {addresses} (Ctrl-C stops it)");
    }
}
