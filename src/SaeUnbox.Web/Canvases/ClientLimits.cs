using System.Threading.RateLimiting;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Canvases;

/// <summary>How much one client may ask for, whatever door it comes through: the page, the hub or the API.</summary>
internal sealed class ClientLimits(IOptions<CanvasOptions> options) : IDisposable
{
    private readonly PartitionedRateLimiter<string> _limiter = PartitionedRateLimiter.Create<string, string>(client => RateLimitPartition.GetTokenBucketLimiter(client, _ => new()
    {
        TokenLimit = options.Value.Burst, TokensPerPeriod = Math.Max(1, options.Value.RequestsPerSecond / 4), ReplenishmentPeriod = TimeSpan.FromMilliseconds(250),
        QueueLimit = 0, AutoReplenishment = true,
    }));

    /// <exception cref="TooManyRequestsException">The client has used up what it may ask for now.</exception>
    public void Take(string client, int requests)
    {
        using var lease = _limiter.AttemptAcquire(client, requests);
        if (!lease.IsAcquired)
            throw new TooManyRequestsException(lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1));
    }

    public void Dispose() => _limiter.Dispose();
}

/// <summary>A client asks for more than its share.</summary>
internal sealed class TooManyRequestsException(TimeSpan retryAfter)
    : Exception(FormattableString.Invariant($"That was too much at once; try again in {Math.Ceiling(Math.Max(1, retryAfter.TotalSeconds))} s."))
{
    public TimeSpan RetryAfter => retryAfter;
}
