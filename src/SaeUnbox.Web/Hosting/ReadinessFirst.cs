using Microsoft.Extensions.Options;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Hosting;

/// <summary>
/// When the program is told to stop, /readyz says no first, for as long as a balancer needs to notice; then requests under way end, and
/// the queue is drained.
/// </summary>
internal sealed partial class ReadinessFirst(
    IServingState state, IHostApplicationLifetime lifetime, IOptions<HostingOptions> options, TimeProvider clock, ILogger<ReadinessFirst> logger, ShareHealth? store = null) : IHostedLifecycleService
{
    public bool IsReady => state.TakesVisitors && !IsStopping && store?.Failure is null;

    /// <summary>Why not, in a word or a sentence.</summary>
    public string Reason => IsStopping ? "stopping" : Failure ?? "loading";

    /// <summary>What is wrong, in a sentence; null where nothing is, or it still loads.</summary>
    public string? Failure => state.Failure ?? (state.TakesVisitors ? store?.Failure : null);

    private bool IsStopping => state.IsStopping || lifetime.ApplicationStopping.IsCancellationRequested;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        Log.Stopping(logger, options.Value.ReadinessDelay);
        if (options.Value.ReadinessDelay > TimeSpan.Zero)
            await Task.Delay(options.Value.ReadinessDelay, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Not ready any more; requests are taken for another {Delay}")]
        public static partial void Stopping(ILogger logger, TimeSpan delay);
    }
}
