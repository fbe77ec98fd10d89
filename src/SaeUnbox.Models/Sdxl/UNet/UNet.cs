using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// SDXL's U-Net as a list of stages that walk one state (UNet2DConditionModel of diffusers; Podell et al. 2023). A walk can be
/// watched and changed at its sites, stop after the last site that matters, and go on from a state that was held before a site.
/// Used by one thread at a time.
/// </summary>
public sealed class UNet
{
    private readonly HookTable _hooks = new();
    private readonly IReadOnlyList<Stage> _stages;
    private readonly Dictionary<HookSite, int> _stageOfSite;
    private readonly TimeEmbedding _timeEmbedding;
    private readonly TimeEmbedding _addEmbedding;
    private readonly Sinusoid _timestepSinusoid;
    private readonly Sinusoid _timeIdSinusoid;
    private readonly ScalarType _dtype;

    /// <summary>Registers every weight under <paramref name="weights"/>; they are there after its Load.</summary>
    public UNet(Weights weights, UNetConfig config)
    {
        Config = config;
        _dtype = weights.DType;
        _timestepSinusoid = new Sinusoid(config.Levels[0].Channels, config.CosineFirst, config.FrequencyShift);
        _timeIdSinusoid = new Sinusoid(config.TimeIdChannels, config.CosineFirst, config.FrequencyShift);
        _timeEmbedding = new TimeEmbedding(weights.At("time_embedding"), config.Levels[0].Channels, config.TimeChannels);
        _addEmbedding = new TimeEmbedding(weights.At("add_embedding"), config.AdditionChannels, config.TimeChannels);
        _stages = StageList.Build(weights, config);
        Sites = [.. _stages.Select(stage => stage.Site).OfType<SiteShape>()];
        _stageOfSite = _stages.Index().Where(s => s.Item.Site is not null).ToDictionary(s => s.Item.Site!.Site, s => s.Index);
    }

    public UNetConfig Config { get; }

    /// <summary>All transformers, in the order a pass reaches them.</summary>
    public IReadOnlyList<SiteShape> Sites { get; }

    /// <exception cref="ModelException">There is no such site.</exception>
    public SiteShape ShapeOf(HookSite site) => Sites.FirstOrDefault(shape => shape.Site == site)
        ?? throw new ModelException($"The U-Net has no site {site}; its sites are {string.Join(", ", Sites.Select(shape => shape.Site))}.");

    /// <summary>Sets a hook until the scope returned is disposed. Several at one site run in the order they were set.</summary>
    /// <exception cref="ModelException">There is no such site.</exception>
    public IDisposable Hook(HookSite site, SiteHook hook) => _hooks.Add(ShapeOf(site).Site, hook);

    /// <summary>Computes, once for a prompt, all that does not depend on the step.</summary>
    /// <param name="hidden">Hidden states of the text, [B, T, D].</param>
    /// <param name="pooled">Pooled text, [B, P].</param>
    /// <param name="timeIds">Original size, crop and target size of the picture, [B, 6] for SDXL.</param>
    /// <exception cref="ModelException">The shapes do not fit the model or each other.</exception>
    public UNetConditioning Prepare(Tensor hidden, Tensor pooled, Tensor timeIds) => Prepare(_ => hidden, pooled, timeIds, hidden.shape[0]);

    /// <summary>As <see cref="Prepare(Tensor, Tensor, Tensor)"/>, with a text for every transformer of its own (P+, arXiv 2303.09522).</summary>
    /// <param name="hiddenOf">Hidden states of the text that a transformer reads, [B, T, D].</param>
    public UNetConditioning Prepare(Func<HookSite, Tensor> hiddenOf, Tensor pooled, Tensor timeIds) => Prepare(hiddenOf, pooled, timeIds, pooled.shape[0]);

    private UNetConditioning Prepare(Func<HookSite, Tensor> hiddenOf, Tensor pooled, Tensor timeIds, long batch)
    {
        var texts = _stages.OfType<TransformerStage>().Select(stage => (Stage: stage, Hidden: hiddenOf(stage.Site.Site))).ToArray();
        foreach (var (_, hidden) in texts)
        {
            Require(hidden.dim() == 3 && hidden.shape[0] == batch && hidden.shape[2] == Config.TextChannels,
                "The text's hidden states", $"[B, T, {Config.TextChannels}]", hidden);
        }

        Require(timeIds.dim() == 2 && timeIds.shape[0] == batch, "The time ids", $"[{batch}, N]", timeIds);
        var pooledChannels = Config.AdditionChannels - timeIds.shape[1] * Config.TimeIdChannels;
        Require(pooled.shape.SequenceEqual([batch, pooledChannels]), "The pooled text", $"[{batch}, {pooledChannels}]", pooled);

        using var scope = NewDisposeScope();
        var times = _timeIdSinusoid.Forward(timeIds.flatten()).reshape(batch, -1);
        var addition = _addEmbedding.Forward(cat([pooled.to_type(_dtype), times.to_type(_dtype)], 1));
        return new UNetConditioning(batch, addition, texts.ToDictionary(t => t.Stage.Site.Site, t => t.Stage.KeyValues(t.Hidden.to_type(_dtype))));
    }

    /// <summary>Predicts from latents, running every stage and the hooks that are set.</summary>
    /// <param name="sample">Latents as the scheduler scales them, [B, in, H, W].</param>
    /// <param name="timestep">One timestep, or one a picture, of any type: [], [1] or [B].</param>
    /// <returns>[B, out, H, W].</returns>
    /// <exception cref="ModelException">The shapes do not fit the model, or a hook's result does not fit its site.</exception>
    public Tensor Forward(Tensor sample, Tensor timestep, UNetConditioning conditioning, CancellationToken cancellation = default) =>
        Run(sample, timestep, conditioning, [], cancellation: cancellation).Output!;

    /// <summary>As <see cref="Forward"/>, and holds the state before each of the sites in <paramref name="capture"/>.</summary>
    /// <param name="stop">End after the last of these sites and its hooks; the output is then null.</param>
    public UNetRun Run(Tensor sample, Tensor timestep, UNetConditioning conditioning, IReadOnlyCollection<HookSite> capture,
        bool stop = false, CancellationToken cancellation = default)
    {
        Require(sample.dim() == 4 && sample.shape[1] == Config.InChannels, "The latents", $"[B, {Config.InChannels}, H, W]", sample);
        Require(sample.shape[0] == conditioning.Batch, "The latents", $"a batch of {conditioning.Batch} as the conditioning has", sample);
        using var scope = NewDisposeScope();
        using var walk = Walk.Start(ChannelsLast.Of(sample.to_type(_dtype)), EmbedTime(timestep, conditioning), conditioning);
        return Continue(walk, 0, null, capture, stop, cancellation);
    }

    /// <summary>Goes on from a held state with the hooks set now: the same bits as a whole pass with these hooks.</summary>
    /// <returns>[B, out, H, W].</returns>
    public Tensor Resume(UNetState state, CancellationToken cancellation = default) => Resume(state, [], cancellation: cancellation).Output!;

    /// <summary>As <see cref="Resume(UNetState, CancellationToken)"/>, and holds the states before later sites, or the state's own.</summary>
    public UNetRun Resume(UNetState state, IReadOnlyCollection<HookSite> capture, bool stop = false, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var walk = state.Walk.Copy();
        return Continue(walk, state.Stage, state.Output, capture, stop, cancellation);
    }

    private UNetRun Continue(Walk walk, int first, Tensor? firstOutput, IReadOnlyCollection<HookSite> capture, bool stop, CancellationToken cancellation)
    {
        var wanted = Wanted(capture, first);
        if (stop && wanted.Count == 0)
        {
            throw new ArgumentException("To stop, name the sites to stop after.", nameof(capture));
        }

        var last = stop ? wanted.Max() : _stages.Count - 1;
        var states = new Dictionary<HookSite, UNetState>();
        try
        {
            for (var i = first; i <= last; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                var stage = _stages[i];
                var output = i == first && firstOutput is not null ? Walk.Own(firstOutput) : Walk.Compute(() => stage.Forward(walk));
                if (wanted.Contains(i))
                {
                    states.Add(stage.Site!.Site, new UNetState(i, stage.Site.Site, walk.Copy(), Walk.Own(output)));
                }

                walk.Advance(stage, stage.Site is { } site ? Hooked(site.Site, walk.Hidden, output) : output);
            }
        }
        catch
        {
            new UNetRun(null, states).Dispose();
            throw;
        }

        return new UNetRun(stop ? null : walk.Hidden.alias().MoveToOuterDisposeScope(), states);
    }

    private HashSet<int> Wanted(IReadOnlyCollection<HookSite> capture, int first)
    {
        var wanted = capture.ToDictionary(site => site, site => _stageOfSite[ShapeOf(site).Site]);
        return wanted.FirstOrDefault(pair => pair.Value < first).Key is { } passed
            ? throw new ModelException($"The state to go on from, before {_stages[first].Site?.Site}, has passed {passed} already.")
            : [.. wanted.Values];
    }

    // Takes over the output's handle and gives an owned one back, whatever the hooks do.
    private Tensor Hooked(HookSite site, Tensor input, Tensor output)
    {
        using (output)
        {
            return Walk.Compute(() => _hooks.Apply(site, input, output));
        }
    }

    private Tensor EmbedTime(Tensor timestep, UNetConditioning conditioning)
    {
        using var scope = NewDisposeScope();
        var count = timestep.numel();
        Require(timestep.dim() <= 1 && (count == 1 || count == conditioning.Batch), "The timestep", $"[], [1] or [{conditioning.Batch}]", timestep);
        var sinusoid = _timestepSinusoid.Forward(timestep.reshape(-1).expand(conditioning.Batch)).to_type(_dtype);
        var embedding = Private.Add(_timeEmbedding.Forward(sinusoid), conditioning.Addition);
        return Private.Silu(embedding).MoveToOuterDisposeScope();
    }

    private static void Require(bool holds, string what, string mustBe, Tensor given)
    {
        if (!holds)
        {
            throw new ModelException($"{what} must be {mustBe}, and are {given}.");
        }
    }
}

/// <summary>
/// What a prompt gives to every step: the text's keys and values of every cross attention, and the embedding of pooled text and
/// sizes. Made once by <see cref="UNet.Prepare(Tensor, Tensor, Tensor)"/>; states taken with it need it until they are disposed.
/// </summary>
public sealed class UNetConditioning : IDisposable
{
    internal UNetConditioning(long batch, Tensor addition, IReadOnlyDictionary<HookSite, IReadOnlyList<Tensor>> keyValues)
    {
        Batch = batch;
        Addition = addition.DetachFromDisposeScope();
        KeyValues = keyValues;
        foreach (var tensor in keyValues.Values.SelectMany(list => list))
        {
            tensor.DetachFromDisposeScope();
        }
    }

    /// <summary>How many pictures it is for.</summary>
    public long Batch { get; }

    /// <summary>[B, time channels], added to the embedding of the timestep.</summary>
    internal Tensor Addition { get; }

    /// <summary>By site, in the order of its basic blocks: [B, T, 2C].</summary>
    internal IReadOnlyDictionary<HookSite, IReadOnlyList<Tensor>> KeyValues { get; }

    public void Dispose()
    {
        Addition.Dispose();
        foreach (var tensor in KeyValues.Values.SelectMany(list => list))
        {
            tensor.Dispose();
        }
    }
}

/// <summary>What a forward pass with captures gives.</summary>
public sealed class UNetRun : IDisposable
{
    internal UNetRun(Tensor? output, IReadOnlyDictionary<HookSite, UNetState> states)
    {
        Output = output;
        States = states;
    }

    /// <summary>The prediction, [B, out, H, W]; null where the walk stopped after the last captured site.</summary>
    public Tensor? Output { get; }

    /// <summary>The captured states by site.</summary>
    public IReadOnlyDictionary<HookSite, UNetState> States { get; }

    public void Dispose()
    {
        Output?.Dispose();
        foreach (var state in States.Values)
        {
            state.Dispose();
        }
    }
}

/// <summary>
/// A forward pass held just before a site's output is used: its input, its output before any hook of the site, and all that the rest
/// of the walk needs. <see cref="UNet.Resume(UNetState, CancellationToken)"/> goes on from here, any number of times. It shares its
/// tensors with the walk by reference, so it costs only what the walk would have freed; it needs its conditioning alive.
/// </summary>
public sealed class UNetState : IDisposable
{
    internal UNetState(int stage, HookSite site, Walk walk, Tensor output)
    {
        Stage = stage;
        Site = site;
        Walk = walk;
        Output = output;
    }

    public HookSite Site { get; }

    /// <summary>What the site was given, [B, C, h, w]. The state's own: not to be written to or disposed.</summary>
    public Tensor Input => Walk.Hidden;

    /// <summary>What the site made of it, before hooks, [B, C, h, w]. The state's own: not to be written to or disposed.</summary>
    public Tensor Output { get; }

    /// <summary>The site's place among the stages.</summary>
    internal int Stage { get; }

    /// <summary>The walk just before the site's stage.</summary>
    internal Walk Walk { get; }

    public void Dispose()
    {
        Walk.Dispose();
        Output.Dispose();
    }
}

/// <summary>
/// Sees what a site was given and what it made of it, both [B, C, h, w], and returns what goes on in the output's place: the output
/// itself, the input (which takes the site away), or a new tensor of the same shape. It must not write into its arguments, and
/// keeps no more than copies or aliases of them.
/// </summary>
public delegate Tensor SiteHook(Tensor input, Tensor output);

/// <summary>The hooks that are set, in order. Taking one off leaves the others, in whatever order scopes end.</summary>
internal sealed class HookTable
{
    private readonly List<Entry> _entries = [];

    public IDisposable Add(HookSite site, SiteHook hook)
    {
        var entry = new Entry(this, site, hook);
        _entries.Add(entry);
        return entry;
    }

    /// <summary>The output after every hook of the site, a handle of its own; each hook sees the one before's output and the same input.</summary>
    public Tensor Apply(HookSite site, Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var current = output;
        foreach (var entry in _entries.Where(e => e.Site == site).ToArray())
        {
            current = Checked(site, entry.Hook(input, current), output);
        }

        return ChannelsLast.Of(current).alias().MoveToOuterDisposeScope();
    }

    private static Tensor Checked(HookSite site, Tensor result, Tensor output) =>
        result.shape.SequenceEqual(output.shape) && result.dtype == output.dtype
            ? result
            : throw new ModelException($"A hook at {site} returned {result}, and must return what it was given: {output}.");

    private sealed class Entry(HookTable table, HookSite site, SiteHook hook) : IDisposable
    {
        public HookSite Site => site;

        public SiteHook Hook => hook;

        public void Dispose() => table._entries.Remove(this);
    }
}

/// <summary>A site of a model: a transformer whose output can be read and changed.</summary>
/// <param name="Channels">Width of its input and output.</param>
/// <param name="Downscale">Side of the latents divided by the side of the site's grid, if it halves evenly.</param>
public sealed record SiteShape(HookSite Site, int Channels, int Downscale);
