using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Hosting;

/// <summary>
/// The answer of /readyz. On shutdown it fails first and waits <see cref="HostingOptions.ReadinessDelay"/> for load balancers to notice;
/// then it drains the queue while the server still answers, and the host stops the server.
/// </summary>
internal sealed partial class Readiness(
    IServingState state, IHostApplicationLifetime lifetime, IOptions<HostingOptions> options, TimeProvider clock,
    ILogger<Readiness> logger, ShareHealth? store = null, ShareRoom? room = null) : IHostedLifecycleService
{
    public bool IsReady => state.TakesVisitors && !IsStopping && store?.Failure is null;

    /// <summary>What does not work although the program is ready, in one sentence; null for nothing.</summary>
    public string? Limitation => room?.Problem;

    /// <summary>Why the program is not ready, in a word or a sentence.</summary>
    public string Reason => IsStopping ? "stopping" : Failure ?? "loading";

    /// <summary>What failed, in one sentence; null if nothing failed or models are still loading.</summary>
    public string? Failure => state.Failure ?? (state.TakesVisitors ? store?.Failure : null);

    private bool IsStopping => state.IsStopping || lifetime.ApplicationStopping.IsCancellationRequested;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        Log.Stopping(logger, options.Value.ReadinessDelay);
        if (options.Value.ReadinessDelay > TimeSpan.Zero)
            await Task.Delay(options.Value.ReadinessDelay, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await state.DrainAsync(cancellationToken);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "No longer ready; serving requests for another {Delay}")]
        public static partial void Stopping(ILogger logger, TimeSpan delay);
    }
}

internal static class Health
{
    /// <summary>
    /// /healthz fails if only a restart can help. /readyz succeeds if the process's models are loaded, it reaches the broker and the store
    /// of shared recipes, and it is not shutting down.
    /// </summary>
    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/healthz", ContentHttpResult (IServingState state) => state.IsBroken
            ? TypedResults.Text($"{state.Failure}\n", statusCode: StatusCodes.Status503ServiceUnavailable)
            : TypedResults.Text("alive\n")).ExcludeFromDescription();
        app.MapGet("/readyz", ContentHttpResult (Readiness readiness) => readiness.IsReady
            ? TypedResults.Text(readiness.Limitation is { } limitation ? $"ready, but: {limitation}\n" : "ready\n")
            : TypedResults.Text($"{readiness.Reason}\n", statusCode: StatusCodes.Status503ServiceUnavailable)).ExcludeFromDescription();
    }
}

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
