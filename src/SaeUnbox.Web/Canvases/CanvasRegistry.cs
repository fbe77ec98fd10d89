using System.Collections.Concurrent;
using System.Security.Cryptography;
using Microsoft.Extensions.Options;

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
