using System.Threading.RateLimiting;
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
