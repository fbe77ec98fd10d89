using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Api;

namespace SaeUnbox.Web.Canvases;

/// <summary>Limits how much one client may request in total through the page, the hub and the API.</summary>
internal sealed class ClientLimits(IOptions<CanvasOptions> options, IOptions<ApiOptions>? api = null) : IDisposable
{
    private const int RefillsPerSecond = 4;

    // Most pixels of a picture, as a multiple of those of the model's own size.
    private const int SizeOverModel = 4;
    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(1);
    private readonly PartitionedRateLimiter<string> _pictures = Buckets(owner => api?.Value.KeyOf(owner) is { } key
        ? (key.RequestsPerSecond, key.Burst)
        : (options.Value.RequestsPerSecond, options.Value.Burst));

    private readonly PartitionedRateLimiter<string> _strokes = Buckets(_ => (options.Value.StrokesPerSecond, options.Value.StrokeBurst));
    private readonly PartitionedRateLimiter<string> _readings = Buckets(_ => (options.Value.ReadingsPerSecond, options.Value.ReadingBurst));
    private readonly PartitionedRateLimiter<string> _stored = Kilobytes(options.Value.StoredPerDay);
    private readonly Dictionary<string, int> _busyCanvases = [];

    /// <summary>Admits a picture of a recipe.</summary>
    /// <returns>The picture's cost (<see cref="ModelInfo.CostOf"/>).</returns>
    /// <exception cref="RecipeException">The recipe exceeds a visitor's limits.</exception>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    public double Admit(string client, Recipe recipe, ModelInfo model)
    {
        var cost = Check(recipe, model);
        Admit(client, cost);
        return cost;
    }

    /// <summary>Admits a request for one picture of a cost.</summary>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    public void Admit(string client, double cost = 1)
    {
        var burst = api?.Value.KeyOf(client)?.Burst ?? options.Value.Burst;
        Take(_pictures, client, (int)Math.Min(burst, Math.Max(1, Math.Ceiling(cost))));
    }

    /// <summary>Counts a request that was refused.</summary>
    /// <returns>False if the client has sent so many that its connection should end.</returns>
    public bool CountRefusal(string client)
    {
        using var lease = _readings.AttemptAcquire(client);
        return lease.IsAcquired;
    }

    /// <summary>Admits a recipe to be stored under a short link.</summary>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits, or has stored too much in the last day.</exception>
    public void AdmitStored(string client, Recipe recipe)
    {
        Admit(client);
        Take(_stored, client, 1 + (recipe.ToJson().Length >> 10));
    }

    /// <summary>
    /// Admits one mask of a moving brush. Such masks count per canvas, not per client: newer ones replace most of them before they run, and
    /// several people may share an address.
    /// </summary>
    /// <exception cref="TooManyRequestsException">The canvas receives strokes faster than a hand paints.</exception>
    public void AdmitStroke(string canvas) => Take(_strokes, canvas);

    /// <summary>Admits a request that only reads: a search, a feature, a shared recipe.</summary>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    public void AdmitReading(string client) => Take(_readings, client);

    /// <returns>The cost of the recipe's picture.</returns>
    /// <exception cref="RecipeException">The recipe exceeds a visitor's limits.</exception>
    public double Check(Recipe recipe, ModelInfo model)
    {
        var (limits, pixels, cost) = (options.Value, (long)recipe.Width * recipe.Height, model.CostOf(recipe));
        var mostPixels = Math.Min(limits.Pixels, SizeOverModel * (long)model.Width * model.Height);
        foreach (var (field, text) in new[] { ("prompt", recipe.Prompt), ("negativePrompt", recipe.NegativePrompt) })
            if (text?.Length > limits.PromptLength)
                throw new RecipeException(field, $"has {text.Length} characters; this server allows {limits.PromptLength}");
        if (recipe.Steps > limits.Steps)
            throw new RecipeException("steps", $"is {recipe.Steps}; this server allows {limits.Steps}");
        if (pixels > mostPixels)
            throw new RecipeException("width", $"times height is {pixels} pixels; this server allows {mostPixels} for {model.Name}");
        if (cost > limits.Cost)
            throw new RecipeException("steps", string.Create(CultureInfo.InvariantCulture,
                $"at this size is the work of {cost:0.#} pictures of {model.Name}; this server allows {limits.Cost}"));
        return cost;
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
        _stored.Dispose();
    }

    private static void Take(PartitionedRateLimiter<string> limiter, string owner, int tokens = 1)
    {
        using var lease = limiter.AttemptAcquire(owner, tokens);
        if (!lease.IsAcquired)
            throw new TooManyRequestsException(lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : DefaultRetryAfter);
    }

    // A bucket that fills in a day.
    private static PartitionedRateLimiter<string> Kilobytes(int bytesPerDay) =>
        PartitionedRateLimiter.Create<string, string>(owner => RateLimitPartition.GetTokenBucketLimiter(owner, _ => new()
        {
            TokenLimit = Math.Max(1 << 11, bytesPerDay >> 10),
            TokensPerPeriod = Math.Max(1, (bytesPerDay >> 10) / (24 * 60)),
            ReplenishmentPeriod = TimeSpan.FromMinutes(Math.Max(1, 24 * 60.0 / (bytesPerDay >> 10))),
            QueueLimit = 0,
            AutoReplenishment = true,
        }));

    private static PartitionedRateLimiter<string> Buckets(Func<string, (int PerSecond, int Burst)> limitsOf) =>
        PartitionedRateLimiter.Create<string, string>(owner => RateLimitPartition.GetTokenBucketLimiter(owner, _ =>
        {
            var (perSecond, burst) = limitsOf(owner);
            return new()
            {
                TokenLimit = burst,
                TokensPerPeriod = Math.Max(1, perSecond / RefillsPerSecond),
                ReplenishmentPeriod = TimeSpan.FromSeconds(Math.Max(1.0 / RefillsPerSecond, 1.0 / perSecond)),
                QueueLimit = 0,
                AutoReplenishment = true,
            };
        }));
}

/// <summary>A client exceeds its limits.</summary>
internal sealed class TooManyRequestsException(TimeSpan retryAfter)
    : Exception(FormattableString.Invariant($"Too many requests; try again in {Math.Ceiling(Math.Max(1, retryAfter.TotalSeconds))} s."))
{
    public TimeSpan RetryAfter => retryAfter;
}

internal static class Admission
{
    private static readonly TimeSpan Least = TimeSpan.FromSeconds(1);

    /// <summary>Does work that limits may refuse.</summary>
    /// <returns>When to try again; null if the work is done.</returns>
    public static TimeSpan? Try(Action work)
    {
        try
        {
            work();
            return null;
        }
        catch (Exception exception) when (exception is TooManyRequestsException or QueueFullException)
        {
            var delay = exception is QueueFullException full ? full.RetryAfter : ((TooManyRequestsException)exception).RetryAfter;
            return delay > Least ? delay : Least;
        }
    }
}

/// <summary>
/// Identifies a client for limits: its API key, or the address that a request comes from, or that a trusted proxy reports. IPv6 clients are
/// identified by their /64 network, because each can use all of its 2^64 addresses.
/// </summary>
internal static class ClientKey
{
    private const int NetworkBytes = 8;

    // Under long polling the items are a dictionary that throws where a key is missing.
    public static string Of(HttpContext? context) => context?.Items.TryGetValue(ApiKeys.Item, out var key) == true && key is string client
        ? client
        : context?.Connection.RemoteIpAddress is { } address ? Of(address) : "local";

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

/// <summary>Limits the connections of pages and hubs that are open at the same time, in all and for each client.</summary>
internal sealed class ConnectionLimits(IOptions<CanvasOptions> options, IHostApplicationLifetime lifetime)
{
    private const int RetryAfterSeconds = 30;
    private readonly ConcurrentDictionary<string, int> _open = new();
    private int _all;

    /// <summary>Middleware: a connection lasts as long as its request.</summary>
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            await context.Response.WriteAsync("The server is stopping.");
            return;
        }
        var client = ClientKey.Of(context);
        try
        {
            var (all, own) = (Interlocked.Increment(ref _all), _open.AddOrUpdate(client, 1, (_, count) => count + 1));
            if (all <= options.Value.Connections && own <= options.Value.ConnectionsPerClient)
            {
                await next(context);
                return;
            }
            context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
            context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
            await context.Response.WriteAsync("Too many connections are open; close other tabs, or try again later.");
        }
        finally
        {
            Interlocked.Decrement(ref _all);
            if (_open.AddOrUpdate(client, 0, (_, count) => count - 1) == 0)
                _open.TryRemove(new(client, 0));
        }
    }
}
