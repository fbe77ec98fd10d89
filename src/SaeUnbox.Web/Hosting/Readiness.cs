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
