using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Canvases;

/// <summary>Limits how much one client may request in total through the page, the hub and the API.</summary>
internal sealed class ClientLimits(IOptions<CanvasOptions> options) : IDisposable
{
    private const int RefillsPerSecond = 4;
    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(1);
    private readonly PartitionedRateLimiter<string> _pictures = Buckets(options.Value.RequestsPerSecond, options.Value.Burst);
    private readonly PartitionedRateLimiter<string> _strokes = Buckets(options.Value.StrokesPerSecond, options.Value.StrokeBurst);
    private readonly PartitionedRateLimiter<string> _readings = Buckets(options.Value.ReadingsPerSecond, options.Value.ReadingBurst);
    private readonly Dictionary<string, int> _busyCanvases = [];

    /// <summary>Admits a recipe to be generated or stored.</summary>
    /// <exception cref="RecipeException">The recipe exceeds a visitor's limits.</exception>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    public void Admit(string client, Recipe recipe)
    {
        Check(recipe);
        Admit(client);
    }

    /// <summary>Admits a request for one picture.</summary>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    public void Admit(string client) => Take(_pictures, client);

    /// <summary>
    /// Admits one mask of a moving brush. Such masks count per canvas, not per client: newer ones replace most of them before they run, and
    /// several people may share an address.
    /// </summary>
    /// <exception cref="TooManyRequestsException">The canvas receives strokes faster than a hand paints.</exception>
    public void AdmitStroke(string canvas) => Take(_strokes, canvas);

    /// <summary>Admits a request that only reads: a search, a feature, a shared recipe.</summary>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    public void AdmitReading(string client) => Take(_readings, client);

    /// <exception cref="RecipeException">The recipe exceeds a visitor's limits.</exception>
    public void Check(Recipe recipe)
    {
        var (limits, pixels) = (options.Value, (long)recipe.Width * recipe.Height);
        foreach (var (field, text) in new[] { ("prompt", recipe.Prompt), ("negativePrompt", recipe.NegativePrompt) })
            if (text?.Length > limits.PromptLength)
                throw new RecipeException(field, $"has {text.Length} characters; this server allows {limits.PromptLength}");
        if (recipe.Steps > limits.Steps)
            throw new RecipeException("steps", $"is {recipe.Steps}; this server allows {limits.Steps}");
        if (pixels > limits.Pixels)
            throw new RecipeException("width", $"times height is {pixels} pixels; this server allows {limits.Pixels}");
    }

    /// <summary>Counts a canvas that waits for a picture, until <see cref="RemoveBusyCanvas"/>.</summary>
    /// <exception cref="TooManyRequestsException">Too many of the client's canvases wait already.</exception>
    public void AddBusyCanvas(string client)
    {
        lock (_busyCanvases)
        {
            var busy = _busyCanvases.GetValueOrDefault(client);
            if (busy >= options.Value.BusyPerClient)
                throw new TooManyRequestsException(DefaultRetryAfter);
            _busyCanvases[client] = busy + 1;
        }
    }

    public void RemoveBusyCanvas(string client)
    {
        lock (_busyCanvases)
            if (--_busyCanvases[client] == 0)
                _busyCanvases.Remove(client);
    }

    public void Dispose()
    {
        _pictures.Dispose();
        _strokes.Dispose();
        _readings.Dispose();
    }

    private static void Take(PartitionedRateLimiter<string> limiter, string owner)
    {
        using var lease = limiter.AttemptAcquire(owner);
        if (!lease.IsAcquired)
            throw new TooManyRequestsException(lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : DefaultRetryAfter);
    }

    private static PartitionedRateLimiter<string> Buckets(int perSecond, int burst) =>
        PartitionedRateLimiter.Create<string, string>(owner => RateLimitPartition.GetTokenBucketLimiter(owner, _ => new()
        {
            TokenLimit = burst,
            TokensPerPeriod = Math.Max(1, perSecond / RefillsPerSecond),
            ReplenishmentPeriod = TimeSpan.FromSeconds(Math.Max(1.0 / RefillsPerSecond, 1.0 / perSecond)),
            QueueLimit = 0,
            AutoReplenishment = true,
        }));
}

/// <summary>A client exceeds its limits.</summary>
internal sealed class TooManyRequestsException(TimeSpan retryAfter)
    : Exception(FormattableString.Invariant($"Too many requests; try again in {Math.Ceiling(Math.Max(1, retryAfter.TotalSeconds))} s."))
{
    public TimeSpan RetryAfter => retryAfter;
}

/// <summary>
/// Identifies a client for limits: the address that a request comes from, or that a trusted proxy reports. IPv6 clients are identified by
/// their /64 network, because each can use all of its 2^64 addresses.
/// </summary>
internal static class ClientKey
{
    private const int NetworkBytes = 8;

    public static string Of(HttpContext? context) => context?.Connection.RemoteIpAddress is { } address ? Of(address) : "local";

    public static string Of(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
            return address.ToString();
        var bytes = address.GetAddressBytes();
        bytes.AsSpan(NetworkBytes).Clear();
        return $"{new IPAddress(bytes)}/{8 * NetworkBytes}";
    }
}

/// <summary>The client of a Blazor circuit, taken from the request that opened it.</summary>
internal sealed class Visitor(IHttpContextAccessor context) : CircuitHandler
{
    public string Key { get; private set; } = ClientKey.Of(context.HttpContext);

    /// <summary>The canvas that the circuit's Paint page last opened; null before the first.</summary>
    public CanvasSession? Canvas { get; set; }

    public override Task OnCircuitOpenedAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        Key = ClientKey.Of(context.HttpContext);
        return Task.CompletedTask;
    }
}
