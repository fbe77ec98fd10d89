using System.Net.Sockets;
using System.Net;
using System.Threading.RateLimiting;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Canvases;

/// <summary>How much one client may ask for, whatever door it comes through: the page, the hub or the API.</summary>
internal sealed class ClientLimits(IOptions<CanvasOptions> options) : IDisposable
{
    private const int RefillsPerSecond = 4;
    private static readonly TimeSpan WhileOthersPaint = TimeSpan.FromSeconds(1);
    private readonly PartitionedRateLimiter<string> _pictures = Buckets(options.Value.RequestsPerSecond, options.Value.Burst);
    private readonly PartitionedRateLimiter<string> _strokes = Buckets(options.Value.StrokesPerSecond, options.Value.StrokeBurst);
    private readonly PartitionedRateLimiter<string> _readings = Buckets(options.Value.ReadingsPerSecond, options.Value.ReadingBurst);
    private readonly Dictionary<string, int> _busy = [];

    /// <summary>Lets one recipe in, to be made or kept.</summary>
    /// <exception cref="RecipeException">It asks for more than a visitor may have at once.</exception>
    /// <exception cref="TooManyRequestsException">The client has used up what it may ask for now.</exception>
    public void Admit(string client, Recipe recipe)
    {
        Check(recipe);
        Admit(client);
    }

    /// <summary>Lets one picture in.</summary>
    /// <exception cref="TooManyRequestsException">The client has used up what it may ask for now.</exception>
    public void Admit(string client) => Take(_pictures, client);

    /// <summary>Lets one passing stroke in. They count for a canvas, not for a client: most are replaced before a device sees them, and people behind one address must not use up each other's.</summary>
    /// <exception cref="TooManyRequestsException">The canvas is painted on faster than a hand does.</exception>
    public void AdmitStroke(string canvas) => Take(_strokes, canvas);

    /// <summary>Lets one reading of what is there already in: a search, a feature, a kept recipe.</summary>
    /// <exception cref="TooManyRequestsException">The client has used up what it may ask for now.</exception>
    public void AdmitReading(string client) => Take(_readings, client);

    /// <summary>Whether a recipe keeps within what a visitor may ask for.</summary>
    /// <exception cref="RecipeException">It does not.</exception>
    public void Check(Recipe recipe)
    {
        var most = options.Value;
        if (recipe.Prompt.Length > most.PromptLength)
            throw new RecipeException("prompt", $"has {recipe.Prompt.Length} characters; at most {most.PromptLength} are taken here");
        if (recipe.NegativePrompt?.Length > most.PromptLength)
            throw new RecipeException("negativePrompt", $"has {recipe.NegativePrompt.Length} characters; at most {most.PromptLength} are taken here");
        if (recipe.Steps > most.Steps)
            throw new RecipeException("steps", $"is {recipe.Steps}; at most {most.Steps} are made here");
        if ((long)recipe.Width * recipe.Height > most.Pixels)
            throw new RecipeException("width", $"times height is {(long)recipe.Width * recipe.Height} pixels; at most {most.Pixels} are made here");
    }

    /// <summary>A canvas of the client begins to wait for a picture; <see cref="Leave"/> says that it does no more.</summary>
    /// <exception cref="TooManyRequestsException">As many of its canvases as may do so already.</exception>
    public void Enter(string client)
    {
        lock (_busy)
        {
            var busy = _busy.GetValueOrDefault(client);
            if (busy >= options.Value.BusyPerClient)
                throw new TooManyRequestsException(WhileOthersPaint);
            _busy[client] = busy + 1;
        }
    }

    public void Leave(string client)
    {
        lock (_busy)
            if (--_busy[client] == 0)
                _busy.Remove(client);
    }

    public void Dispose()
    {
        _pictures.Dispose();
        _strokes.Dispose();
        _readings.Dispose();
    }

    private static void Take(PartitionedRateLimiter<string> limiter, string whose)
    {
        using var lease = limiter.AttemptAcquire(whose);
        if (!lease.IsAcquired)
            throw new TooManyRequestsException(lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1));
    }

    private static PartitionedRateLimiter<string> Buckets(int perSecond, int burst) => PartitionedRateLimiter.Create<string, string>(whose => RateLimitPartition.GetTokenBucketLimiter(whose, _ => new()
    {
        TokenLimit = burst, TokensPerPeriod = Math.Max(1, perSecond / RefillsPerSecond), ReplenishmentPeriod = TimeSpan.FromSeconds(Math.Max(1.0 / RefillsPerSecond, 1.0 / perSecond)),
        QueueLimit = 0, AutoReplenishment = true,
    }));
}

/// <summary>A client asks for more than its share.</summary>
internal sealed class TooManyRequestsException(TimeSpan retryAfter)
    : Exception(FormattableString.Invariant($"That was too much at once; try again in {Math.Ceiling(Math.Max(1, retryAfter.TotalSeconds))} s."))
{
    public TimeSpan RetryAfter => retryAfter;
}

/// <summary>
/// Whom limits count for: the address a request comes from, as a trusted proxy tells it. Of an IPv6 address the network counts: whoever has
/// one has the 2^64 addresses of its /64.
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

/// <summary>Who sits before this circuit, for limits: told by the request that opened it.</summary>
internal sealed class Visitor(IHttpContextAccessor context) : CircuitHandler
{
    public string Key { get; private set; } = ClientKey.Of(context.HttpContext);

    public override Task OnCircuitOpenedAsync(Circuit circuit, CancellationToken cancellationToken)
    {
        Key = ClientKey.Of(context.HttpContext);
        return Task.CompletedTask;
    }
}

/// <summary>What recipes that are kept take in memory. Recipes that differ elsewhere share their masks, which count once.</summary>
internal static class RecipeWeight
{
    // Of a recipe and of an edit, beside texts and cells.
    private const int OfRecipe = 256, OfEdit = 128;

    /// <summary>How many of the recipes, the newest first, lie within so many bytes.</summary>
    public static int Within(long bytes, IEnumerable<Recipe> newestFirst)
    {
        var seen = new HashSet<BrushMask>(ReferenceEqualityComparer.Instance);
        var count = 0;
        foreach (var recipe in newestFirst)
        {
            bytes -= OfRecipe + sizeof(char) * (long)(recipe.Prompt.Length + (recipe.NegativePrompt?.Length ?? 0)) + OfEdit * recipe.Edits.Count
                + recipe.Edits.Sum(edit => edit.Mask is { } mask && seen.Add(mask) ? sizeof(float) * (long)mask.Cells.Length : 0);
            if (bytes < 0)
                break;
            count++;
        }
        return count;
    }
}
