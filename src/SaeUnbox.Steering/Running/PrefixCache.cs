namespace SaeUnbox.Steering;

/// <summary>The most recently used prefixes, by everything in a recipe except its edits.</summary>
internal sealed class PrefixCache(int capacity) : IDisposable
{
    private readonly LinkedList<(Recipe Key, Prefix Prefix)> _recent = [];

    /// <summary>Returns the prefix of a recipe, making it if it is not cached.</summary>
    public Prefix For(Recipe recipe, Func<Prefix> make)
    {
        var found = Find(recipe);
        ServingTelemetry.CountPrefixLookup(isHit: found is not null);
        if (found is not null)
        {
            _recent.Remove(found);
            _recent.AddFirst(found);
            return found.Value.Prefix;
        }
        while (_recent.Count >= capacity)
            Drop(_recent.Last!);
        var prefix = make();
        _recent.AddFirst((KeyOf(recipe), prefix));
        return prefix;
    }

    public void Remove(Recipe recipe)
    {
        if (Find(recipe) is { } found)
            Drop(found);
    }

    public void Dispose()
    {
        while (_recent.Last is { } oldest)
            Drop(oldest);
    }

    // Edits of the text encoder change everything that follows.
    private static Recipe KeyOf(Recipe recipe) => recipe with
    {
        Edits = [.. recipe.Edits.Where(edit => edit.Enabled && edit.Site.IsText)],
        Interventions = [],
    };

    private LinkedListNode<(Recipe Key, Prefix Prefix)>? Find(Recipe recipe)
    {
        var (key, node) = (KeyOf(recipe), _recent.First);
        while (node is not null && node.Value.Key != key)
            node = node.Next;
        return node;
    }

    private void Drop(LinkedListNode<(Recipe Key, Prefix Prefix)> node)
    {
        _recent.Remove(node);
        node.Value.Prefix.Dispose();
    }
}

/// <summary>
/// What recipes share that differ only in their edits: the encoded text, the noise, and what was computed so far without any edit, which is
/// the latents before each step, the U-Net's states in one step, and the activations.
/// </summary>
internal sealed class Prefix(DenoisingRun run, IReadOnlyList<SiteActivations> text) : IDisposable
{
    private readonly Dictionary<int, Tensor> _latents = [];
    private readonly Dictionary<(int Step, Site Site), SiteActivations> _readings = [];
    private readonly Dictionary<Site, UNetState> _states = [];
    private int _statesStep = -1;

    public DenoisingRun Run { get; } = run;

    /// <summary>The activations of the text encoder's layers.</summary>
    public IReadOnlyList<SiteActivations> Text { get; } = text;

    /// <summary>The unedited latents before a step; null if no unedited run has reached that step.</summary>
    public Tensor? LatentsBefore(int step) => _latents.GetValueOrDefault(step);

    public void KeepLatents(int step, Tensor before)
    {
        if (!_latents.ContainsKey(step))
            _latents[step] = before.alias().DetachFromDisposeScope();
    }

    /// <summary>The unedited state before a site's output in a step; null if it is not held.</summary>
    public UNetState? State(int step, Site site) => step == _statesStep ? _states.GetValueOrDefault(site) : null;

    /// <summary>Takes ownership of states. States are large, so those of another step are dropped.</summary>
    public void KeepStates(int step, IReadOnlyDictionary<Site, UNetState> captured)
    {
        if (step != _statesStep)
            DropStates();
        _statesStep = step;
        foreach (var (site, state) in captured)
            if (!_states.TryAdd(site, state))
                state.Dispose();
    }

    public SiteActivations? Reading(int step, Site site) => _readings.GetValueOrDefault((step, site));

    public void KeepReading(SiteActivations reading) => _readings[(reading.Step, reading.Site)] = reading;

    public void Dispose()
    {
        DropStates();
        foreach (var tensor in _latents.Values)
            tensor.Dispose();
        Run.Dispose();
    }

    private void DropStates()
    {
        foreach (var state in _states.Values)
            state.Dispose();
        _states.Clear();
    }
}
