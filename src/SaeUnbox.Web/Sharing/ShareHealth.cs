using Microsoft.EntityFrameworkCore;

namespace SaeUnbox.Web.Sharing;

/// <summary>Asks the store of shared recipes every few seconds whether it is there, for /readyz.</summary>
internal sealed class ShareHealth(IDbContextFactory<ShareContext> contexts, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(5), Patience = TimeSpan.FromSeconds(5);

    /// <summary>Why links cannot be kept and found now, in one sentence; null while they can.</summary>
    public string? Failure { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            Failure = await CanConnectAsync(stoppingToken) ? null : "The store of shared recipes cannot be reached.";
            await Task.Delay(Between, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> CanConnectAsync(CancellationToken stopping)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        patience.CancelAfter(Patience);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(patience.Token);
            return await context.Database.CanConnectAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            return stopping.IsCancellationRequested;
        }
    }
}
