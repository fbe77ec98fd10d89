using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Hosting;

namespace SaeUnbox.Web.Canvases;

/// <summary>All canvases of this node. One that nobody looks at any more is kept for a while, then forgotten.</summary>
internal sealed class CanvasRegistry(IGenerationQueue queue, IModelCatalogue catalogue, ClientLimits limits, IOptions<CanvasOptions> options, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan WhileAllAreLookedAt = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, Entry> _canvases = new();
    private ITimer? _sweeper;

    /// <summary>A new canvas of a client, with nothing made yet.</summary>
    /// <exception cref="RecipeException">The recipe does not fit its model, or is more than a visitor may ask for.</exception>
    /// <exception cref="TooManyRequestsException">The client asks for too much.</exception>
    /// <exception cref="QueueFullException">There are as many canvases as are kept, and somebody looks at each.</exception>
    public CanvasSession Create(string client, Recipe recipe)
    {
        LazyInitializer.EnsureInitialized(ref _sweeper, () => clock.CreateTimer(_ => Sweep(), null, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(15)));
        limits.Admit(client, recipe);
        ModelFit.Require(recipe, catalogue);
        if (_canvases.Values.Count(entry => entry.Session.Client == client) >= options.Value.MostPerClient)
            ForgetOldest(entry => entry.Session.Client == client);
        if (_canvases.Count >= options.Value.Most)
            ForgetOldest(_ => true);
        var session = new CanvasSession(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), client, recipe, queue, catalogue, limits, clock);
        _canvases[session.Id] = new(session, clock.GetTimestamp());
        return session;
    }

    /// <summary>A canvas by its id; null where it is not, or no longer, there.</summary>
    public CanvasSession? Find(string id)
    {
        if (!_canvases.TryGetValue(id, out var entry))
            return null;
        entry.LastSeen = clock.GetTimestamp();
        return entry.Session;
    }

    public void Dispose() => _sweeper?.Dispose();

    private void ForgetOldest(Func<Entry, bool> among)
    {
        var oldest = _canvases.Where(pair => pair.Value.Session.Watchers == 0 && among(pair.Value)).OrderBy(pair => pair.Value.LastSeen).Select(pair => pair.Key).FirstOrDefault()
            ?? throw new QueueFullException(WhileAllAreLookedAt);
        if (_canvases.TryRemove(oldest, out var entry))
            entry.Session.Cancel();
    }

    private void Sweep()
    {
        foreach (var (id, entry) in _canvases)
            if (entry.Session.Watchers > 0)
                entry.LastSeen = clock.GetTimestamp();
            else if (clock.GetElapsedTime(entry.LastSeen) > options.Value.Keep && _canvases.TryRemove(id, out _))
                entry.Session.Cancel();
    }

    private sealed class Entry(CanvasSession session, long lastSeen)
    {
        public CanvasSession Session => session;

        public long LastSeen { get; set; } = lastSeen;
    }
}

/// <summary>Bounds of what visitors may do: the section "SaeUnbox:Canvases".</summary>
internal sealed class CanvasOptions
{
    public const string Section = "SaeUnbox:Canvases";

    /// <summary>Pictures a client may ask for in a second, over a while. The strokes of a pointer on its way are not among them.</summary>
    [Range(1, 10_000)]
    public int RequestsPerSecond { get; set; } = 40;

    /// <summary>Pictures a client may ask for at once.</summary>
    [Range(1, 100_000)]
    public int Burst { get; set; } = 120;

    /// <summary>Strokes of a canvas in a second while the pointer is on its way; the page sends 25.</summary>
    [Range(1, 10_000)]
    public int StrokesPerSecond { get; set; } = 50;

    /// <summary>The same, at once.</summary>
    [Range(1, 100_000)]
    public int StrokeBurst { get; set; } = 100;

    /// <summary>Most canvases of one client that may wait for a picture at the same moment; each has one job in flight.</summary>
    [Range(1, 1_000_000)]
    public int BusyPerClient { get; set; } = 32;

    /// <summary>Searches, features and kept recipes a client may ask for in a second, over a while.</summary>
    [Range(1, 10_000)]
    public int ReadingsPerSecond { get; set; } = 100;

    /// <summary>The same, at once.</summary>
    [Range(1, 100_000)]
    public int ReadingBurst { get; set; } = 400;

    /// <summary>How long a canvas nobody looks at is kept, so that a page that lost its connection finds it again.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Keep { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Most canvases that are kept.</summary>
    [Range(1, 1_000_000)]
    public int Most { get; set; } = 5000;

    /// <summary>Most canvases of one client; behind one address there may be many people.</summary>
    [Range(1, 1_000_000)]
    public int MostPerClient { get; set; } = 200;

    /// <summary>Longest prompt a visitor may send, in characters.</summary>
    [Range(1, 10_000)]
    public int PromptLength { get; set; } = 1000;

    /// <summary>Most denoising steps a visitor may ask for.</summary>
    [Range(1, RecipeLimits.MaxSteps)]
    public int Steps { get; set; } = 100;

    /// <summary>Most pixels a visitor's picture may have.</summary>
    [Range(64, RecipeLimits.MaxSide * RecipeLimits.MaxSide)]
    public int Pixels { get; set; } = 2048 * 2048;
}

internal static class CanvasExtensions
{
    private const int LargestMessage = 256 << 10;
    private const string Circuits = "/_blazor";

    public static void AddCanvases(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddAnnotatedOptions<CanvasOptions>(configuration, CanvasOptions.Section);
        services.AddSingleton<ClientLimits>();
        services.AddSingleton<CanvasRegistry>();
        services.AddSingleton<CanvasRelay>();
        services.AddHttpContextAccessor();
        services.AddScoped<Visitor>();
        services.AddScoped<CircuitHandler>(provider => provider.GetRequiredService<Visitor>());
        services.AddSignalR(options => options.MaximumReceiveMessageSize = LargestMessage).AddMessagePackProtocol();
    }

    public static void MapCanvases(this WebApplication app)
    {
        // A browser sends along where a page came from; pages of other sites are not served here. Clicks make pictures as strokes do.
        app.UseWhen(context => context.Request.Path.StartsWithSegments(PaintHub.Address) || context.Request.Path.StartsWithSegments(Circuits), branch => branch.Use(async (context, next) =>
        {
            if (context.Request.Headers.Origin is [{ Length: > 0 } origin] && !IsOwn(origin, context.Request))
            {
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                await context.Response.WriteAsync("This hub serves its own pages, and programs without an Origin. A proxy that ends TLS must be among SaeUnbox:TrustedProxies.");
                return;
            }
            if (context.Request.Query["version"] is [{ } version] && version != PaintHub.Version.ToString(CultureInfo.InvariantCulture))
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                await context.Response.WriteAsync($"This hub speaks version {PaintHub.Version}, and no other.");
                return;
            }
            await next(context);
        }));
        app.MapHub<PaintHub>(PaintHub.Address);
    }

    private static bool IsOwn(string origin, HttpRequest request) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme == request.Scheme && string.Equals(uri.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);
}
