using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Components.Server.Circuits;
using Microsoft.AspNetCore.SignalR;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Hosting;

namespace SaeUnbox.Web.Canvases;

/// <summary>All canvases of this node. An unwatched canvas is removed after a while.</summary>
internal sealed class CanvasRegistry(
    IGenerationQueue queue, IModelCatalogue catalogue, ClientLimits limits, IOptions<CanvasOptions> options, TimeProvider clock)
    : IDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(15), FullRetryAfter = TimeSpan.FromSeconds(30);
    private readonly ConcurrentDictionary<string, Entry> _canvases = new();
    private ITimer? _sweeper;

    /// <summary>Creates a canvas for a client. Its first picture is not requested yet.</summary>
    /// <exception cref="RecipeException">The recipe does not fit its model, or exceeds a visitor's limits.</exception>
    /// <exception cref="TooManyRequestsException">The client exceeds its limits.</exception>
    /// <exception cref="QueueFullException">There is no room for another canvas, and all canvases are watched.</exception>
    /// <param name="client">The client whose limits apply.</param>
    /// <param name="recipe">The first recipe; a further step if there is a past.</param>
    /// <param name="past">What the canvas continues; null for nothing.</param>
    public CanvasSession Create(string client, Recipe recipe, CanvasPast? past = null)
    {
        LazyInitializer.EnsureInitialized(ref _sweeper, () => clock.CreateTimer(_ => Sweep(), null, SweepInterval, SweepInterval));
        var start = recipe.Check();
        limits.Check(recipe, ModelFit.Require(recipe, catalogue));
        limits.Admit(client);
        if (_canvases.Values.Count(entry => entry.Session.Client == client) >= options.Value.MostPerClient)
            RemoveOldest(entry => entry.Session.Client == client);
        if (_canvases.Count >= options.Value.Most)
            RemoveOldest(_ => true);
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var session = new CanvasSession(id, client, start, queue, catalogue, limits, clock, past);
        _canvases[id] = new(session, clock.GetTimestamp());
        return session;
    }

    /// <summary>Returns the canvas with the id, or null.</summary>
    public CanvasSession? Find(string id)
    {
        if (!_canvases.TryGetValue(id, out var entry))
            return null;
        entry.LastSeen = clock.GetTimestamp();
        return entry.Session;
    }

    public void Dispose() => _sweeper?.Dispose();

    private void RemoveOldest(Func<Entry, bool> isCandidate)
    {
        var oldest = _canvases.Where(pair => pair.Value.Session.Watchers == 0 && isCandidate(pair.Value))
            .OrderBy(pair => pair.Value.LastSeen).Select(pair => pair.Key).FirstOrDefault()
            ?? throw new QueueFullException(FullRetryAfter);
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

/// <summary>Limits for visitors: the section "SaeUnbox:Canvases".</summary>
internal sealed class CanvasOptions
{
    public const string Section = "SaeUnbox:Canvases";

    /// <summary>Pictures per second that a client may request on average. Strokes of a moving brush do not count.</summary>
    [Range(1, 10_000)]
    public int RequestsPerSecond { get; set; } = 40;

    /// <summary>Pictures that a client may request at once.</summary>
    [Range(1, 100_000)]
    public int Burst { get; set; } = 120;

    /// <summary>Masks per second that a moving brush may send to a canvas; the page sends 40.</summary>
    [Range(1, 10_000)]
    public int StrokesPerSecond { get; set; } = 80;

    /// <summary>Masks that a moving brush may send at once.</summary>
    [Range(1, 100_000)]
    public int StrokeBurst { get; set; } = 160;

    /// <summary>Canvases of one client that may wait for a picture at the same time.</summary>
    [Range(1, 1_000_000)]
    public int BusyPerClient { get; set; } = 32;

    /// <summary>Searches, features and shared recipes per second that a client may request on average.</summary>
    [Range(1, 10_000)]
    public int ReadingsPerSecond { get; set; } = 100;

    /// <summary>Searches, features and shared recipes that a client may request at once.</summary>
    [Range(1, 100_000)]
    public int ReadingBurst { get; set; } = 400;

    /// <summary>Bytes of recipes that a client may store under short links in a day.</summary>
    [Range(1 << 10, int.MaxValue)]
    public int StoredPerDay { get; set; } = 16 << 20;

    /// <summary>Connections of pages and hubs at the same time, of all clients.</summary>
    [Range(1, 1_000_000)]
    public int Connections { get; set; } = 10_000;

    /// <summary>Connections of one client at the same time; a page has two.</summary>
    [Range(1, 1_000_000)]
    public int ConnectionsPerClient { get; set; } = 400;

    /// <summary>How long an unwatched canvas is kept, so that a page can reconnect to it.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan Keep { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>Maximum number of canvases.</summary>
    [Range(1, 1_000_000)]
    public int Most { get; set; } = 5000;

    /// <summary>Maximum number of canvases per client. Several people may share a client's address.</summary>
    [Range(1, 1_000_000)]
    public int MostPerClient { get; set; } = 200;

    /// <summary>Maximum length of a prompt in characters.</summary>
    [Range(1, 10_000)]
    public int PromptLength { get; set; } = 1000;

    /// <summary>Maximum number of denoising steps.</summary>
    [Range(1, RecipeLimits.MaxSteps)]
    public int Steps { get; set; } = 100;

    /// <summary>Maximum work of a picture, in default pictures of its model: pixels, steps and passes count.</summary>
    [Range(1, 1_000_000)]
    public int Cost { get; set; } = 64;

    /// <summary>Maximum number of pixels of a picture. Each model also allows at most four times the pixels of its own size.</summary>
    [Range(64, RecipeLimits.MaxSide * RecipeLimits.MaxSide)]
    public int Pixels { get; set; } = 2048 * 2048;
}

internal static class CanvasExtensions
{
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
        services.AddSingleton<ConnectionLimits>();
        services.AddSingleton<HubErrors>();
        services.AddSignalR(options => options.MaximumReceiveMessageSize = RecipeLimits.MaxJsonBytes)
            .AddHubOptions<PaintHub>(options => options.AddFilter<HubErrors>()).AddMessagePackProtocol();
    }

    /// <summary>Connections of pages of other sites are refused to the circuits, too, because clicks make pictures.</summary>
    public static void MapCanvases(this WebApplication app)
    {
        app.UseOwnOrigin(context => IsForHubs(context) || IsUnsafeForApi(context));
        app.UseWhen(IsForHubs, branch => branch.Use(app.Services.GetRequiredService<ConnectionLimits>().InvokeAsync));
        app.UseWhen(IsForHubs, branch => branch.Use(async (context, next) =>
        {
            if (context.Request.Query["version"] is [{ } version] && version != PaintHub.Version.ToString(CultureInfo.InvariantCulture))
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                await context.Response.WriteAsync($"This hub supports only version {PaintHub.Version}.");
                return;
            }
            await next(context);
        }));
        app.MapHub<PaintHub>(PaintHub.Address);
    }

    private static bool IsUnsafeForApi(HttpContext context) =>
        context.Request.Path.StartsWithSegments("/api") && !HttpMethods.IsGet(context.Request.Method);

    private static bool IsForHubs(HttpContext context) =>
        context.Request.Path.StartsWithSegments(PaintHub.Address) || context.Request.Path.StartsWithSegments(Circuits);
}
