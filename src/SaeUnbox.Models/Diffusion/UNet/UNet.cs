using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// The U-Net of Stable Diffusion (arXiv 2112.10752, 2307.01952; UNet2DConditionModel of diffusers). A forward pass runs a list of stages.
/// Hooks can read and replace the output of a site; a pass can stop after a site, and resume from a state captured at a site. Not
/// thread-safe.
/// </summary>
public sealed class UNet
{
    private readonly HookTable _hooks = new();
    private readonly IReadOnlyList<Stage> _stages;
    private readonly Dictionary<Site, int> _stageOfSite;
    private readonly TimeEmbedding _timeEmbedding;
    private readonly SizeEmbedding? _sizeEmbedding;
    private readonly Sinusoid _timestepSinusoid;
    private readonly ScalarType _dtype;

    /// <param name="weights">Registers the tensors here; its Load reads them.</param>
    /// <param name="config">Sizes and options of the model.</param>
    public UNet(Weights weights, UNetConfig config)
    {
        Config = config;
        _dtype = weights.DType;
        _timestepSinusoid = new Sinusoid(config.Levels[0].Channels, config.CosineFirst, config.FrequencyShift);
        _timeEmbedding = new TimeEmbedding(weights.At("time_embedding"), config.Levels[0].Channels, config.TimeChannels);
        _sizeEmbedding = config.Addition is { } addition ? new SizeEmbedding(weights.At("add_embedding"), config, addition) : null;
        _stages = StageBuilder.Build(weights, config);
        var nicknames = ModelFamily.Of(config).Nicknames;
        Sites = [.. _stages.Select(stage => stage.Site).OfType<SiteShape>()
            .Select(shape => shape with { Nickname = nicknames.GetValueOrDefault(shape.Site) })];
        _stageOfSite = _stages.Index().Where(s => s.Item.Site is not null).ToDictionary(s => s.Item.Site!.Site, s => s.Index);
    }

    public UNetConfig Config { get; }

    /// <summary>All transformers in the order in which a pass runs them.</summary>
    public IReadOnlyList<SiteShape> Sites { get; }

    /// <summary>Finds the shape of a site.</summary>
    /// <exception cref="ModelException">There is no such site.</exception>
    public SiteShape ShapeOf(Site site) => SiteShape.Find(Sites, site);

    /// <summary>Adds a hook; disposing the result removes it. Hooks at the same site run in the order in which they were added.</summary>
    /// <exception cref="ModelException">There is no such site.</exception>
    public IDisposable Hook(Site site, SiteHook hook) => _hooks.Add(ShapeOf(site).Site, hook);

    /// <summary>Adds a hook at the neurons of a site's transformer; disposing the result removes it.</summary>
    /// <exception cref="ModelException">There is no such site.</exception>
    public IDisposable HookNeurons(Site site, NeuronHook hook)
    {
        var hooks = ((TransformerStage)_stages[_stageOfSite[ShapeOf(site).Site]]).NeuronHooks;
        hooks.Add(hook);
        return new Removal(() => hooks.Remove(hook));
    }

    /// <summary>Computes everything that depends on the prompt but not on the step.</summary>
    /// <param name="hidden">Text states, [B, T, D].</param>
    /// <param name="pooled">Pooled text embedding, [B, P]; null for a model without <see cref="UNetConfig.Addition"/>.</param>
    /// <param name="timeIds">
    /// Original size, crop and target size of the image, [B, 6] for SDXL; null like <paramref name="pooled"/>.
    /// </param>
    /// <exception cref="ModelException">The shapes do not match the model or each other.</exception>
    public UNetConditioning Prepare(Tensor hidden, Tensor? pooled = null, Tensor? timeIds = null) =>
        Prepare(_ => hidden, pooled, timeIds, hidden.shape[0]);

    /// <summary>
    /// Like <see cref="Prepare(Tensor, Tensor?, Tensor?)"/>, but with a separate text for each transformer (P+, arXiv 2303.09522).
    /// </summary>
    /// <param name="hiddenOf">The text states that a transformer reads, [B, T, D].</param>
    public UNetConditioning Prepare(Func<Site, Tensor> hiddenOf, Tensor pooled, Tensor timeIds) =>
        Prepare(hiddenOf, pooled, timeIds, pooled.shape[0]);

    private UNetConditioning Prepare(Func<Site, Tensor> hiddenOf, Tensor? pooled, Tensor? timeIds, long batch)
    {
        var texts = _stages.OfType<TransformerStage>().Select(stage => (Stage: stage, Hidden: hiddenOf(stage.Site.Site))).ToArray();
        foreach (var (_, hidden) in texts)
        {
            Require(hidden.dim() == 3 && hidden.shape[0] == batch && hidden.shape[2] == Config.TextChannels,
                "The text states", $"[B, T, {Config.TextChannels}]", hidden);
        }

        using var scope = NewDisposeScope();
        var addition = EmbedSizes(pooled, timeIds, batch);
        var keyValues = texts.ToDictionary(t => t.Stage.Site.Site, t => t.Stage.KeyValues(t.Hidden.to_type(_dtype)));
        return new UNetConditioning(batch, addition, keyValues);
    }

    /// <summary>Runs a whole forward pass with the current hooks.</summary>
    /// <param name="sample">Latents scaled by the scheduler, [B, in, H, W].</param>
    /// <param name="timestep">One timestep for all images or one for each, of any type: [], [1] or [B].</param>
    /// <returns>[B, out, H, W].</returns>
    /// <exception cref="ModelException">A shape does not match the model, or a hook returned a tensor of another shape or type.</exception>
    public Tensor Forward(Tensor sample, Tensor timestep, UNetConditioning conditioning, CancellationToken cancellation = default) =>
        Run(sample, timestep, conditioning, [], cancellation: cancellation).Output!;

    /// <summary>Like <see cref="Forward"/>, but also captures the state at each site in <paramref name="capture"/>.</summary>
    /// <param name="stop">Stops after the last of these sites and its hooks. The output is then null.</param>
    public UNetRun Run(Tensor sample, Tensor timestep, UNetConditioning conditioning, IReadOnlyCollection<Site> capture,
        bool stop = false, CancellationToken cancellation = default)
    {
        Require(sample.dim() == 4 && sample.shape[1] == Config.InChannels, "The latents", $"[B, {Config.InChannels}, H, W]", sample);
        Require(sample.shape[0] == conditioning.Batch, "The latents", $"a batch of {conditioning.Batch}, like the conditioning", sample);
        using var scope = NewDisposeScope();
        using var walk = Walk.Start(ChannelsLast.Convert(sample.to_type(_dtype)), EmbedTime(timestep, conditioning), conditioning);
        return Continue(walk, 0, null, capture, stop, cancellation);
    }

    /// <summary>
    /// Resumes from a captured state with the current hooks. The result is bitwise equal to a whole pass with these hooks.
    /// </summary>
    /// <returns>[B, out, H, W].</returns>
    public Tensor Resume(UNetState state, CancellationToken cancellation = default) =>
        Resume(state, [], cancellation: cancellation).Output!;

    /// <summary>Like <see cref="Resume(UNetState, CancellationToken)"/>, but also captures states at this site or later ones.</summary>
    public UNetRun Resume(
        UNetState state, IReadOnlyCollection<Site> capture, bool stop = false, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var walk = state.Walk.Copy();
        return Continue(walk, state.Stage, state.Output, capture, stop, cancellation);
    }

    private UNetRun Continue(
        Walk walk, int first, Tensor? firstOutput, IReadOnlyCollection<Site> capture, bool stop, CancellationToken cancellation)
    {
        var wanted = Wanted(capture, first);
        if (stop && wanted.Count == 0)
            throw new ArgumentException("A pass that stops needs at least one site to stop after.", nameof(capture));

        var last = stop ? wanted.Max() : _stages.Count - 1;
        var states = new Dictionary<Site, UNetState>();
        try
        {
            for (var i = first; i <= last; i++)
            {
                cancellation.ThrowIfCancellationRequested();
                var stage = _stages[i];
                var output = i == first && firstOutput is not null ? Walk.Own(firstOutput) : Walk.Compute(() => stage.Forward(walk));
                if (wanted.Contains(i))
                    states.Add(stage.Site!.Site, new UNetState(i, walk.Copy(), Walk.Own(output)));

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

    private HashSet<int> Wanted(IReadOnlyCollection<Site> capture, int first)
    {
        var wanted = capture.ToDictionary(site => site, site => _stageOfSite[ShapeOf(site).Site]);
        return wanted.FirstOrDefault(pair => pair.Value < first).Key is { } passed
            ? throw new ModelException($"A pass resumed at {_stages[first].Site?.Site} cannot capture {passed}, which comes before it.")
            : [.. wanted.Values];
    }

    // Disposes the output and returns a new handle that the caller owns.
    private Tensor Hooked(Site site, Tensor input, Tensor output)
    {
        using (output)
            return Walk.Compute(() => _hooks.Apply(site, input, output));
    }

    private Tensor? EmbedSizes(Tensor? pooled, Tensor? timeIds, long batch)
    {
        if (_sizeEmbedding is null || Config.Addition is not { } addition)
            return pooled is null && timeIds is null
                ? null : throw new ModelException("This U-Net takes text states only, but got pooled text or time ids.");
        if (pooled is null || timeIds is null)
            throw new ModelException("This U-Net takes pooled text and time ids beside the text states, but got none.");
        Require(timeIds.dim() == 2 && timeIds.shape[0] == batch, "The time ids", $"[{batch}, N]", timeIds);
        var pooledChannels = addition.Channels - timeIds.shape[1] * addition.TimeIdChannels;
        Require(pooled.shape.SequenceEqual([batch, pooledChannels]), "The pooled text", $"[{batch}, {pooledChannels}]", pooled);
        return _sizeEmbedding.Forward(pooled.to_type(_dtype), timeIds);
    }

    private Tensor EmbedTime(Tensor timestep, UNetConditioning conditioning)
    {
        using var scope = NewDisposeScope();
        var count = timestep.numel();
        Require(timestep.dim() <= 1 && (count == 1 || count == conditioning.Batch),
            "The timestep", $"[], [1] or [{conditioning.Batch}]", timestep);
        var sinusoid = _timestepSinusoid.Forward(timestep.reshape(-1).expand(conditioning.Batch)).to_type(_dtype);
        var embedding = _timeEmbedding.Forward(sinusoid);
        if (conditioning.Addition is { } addition)
            embedding = InPlace.Add(embedding, addition);
        return InPlace.Silu(embedding).MoveToOuterDisposeScope();
    }

    private static void Require(bool holds, string what, string mustBe, Tensor given)
    {
        if (!holds)
            throw new ModelException($"{what} must be {mustBe}, but got {given}.");
    }
}

/// <summary>
/// The result of <see cref="UNet.Prepare(Tensor, Tensor?, Tensor?)"/>: the keys and values of each cross-attention, and the embedding of
/// pooled text and sizes, if the model has one. All steps share it. Dispose it only after the states captured with it.
/// </summary>
public sealed class UNetConditioning : IDisposable
{
    internal UNetConditioning(long batch, Tensor? addition, IReadOnlyDictionary<Site, IReadOnlyList<Tensor>> keyValues)
    {
        Batch = batch;
        Addition = addition?.DetachFromDisposeScope();
        KeyValues = keyValues;
        foreach (var tensor in keyValues.Values.SelectMany(list => list))
            tensor.DetachFromDisposeScope();
    }

    /// <summary>Number of images.</summary>
    public long Batch { get; }

    /// <summary>[B, time channels], added to the embedding of the timestep; null if nothing is.</summary>
    internal Tensor? Addition { get; }

    /// <summary>For each site, the keys and values of its basic blocks in order, each [B, T, 2C].</summary>
    internal IReadOnlyDictionary<Site, IReadOnlyList<Tensor>> KeyValues { get; }

    public void Dispose()
    {
        Addition?.Dispose();
        foreach (var tensor in KeyValues.Values.SelectMany(list => list))
            tensor.Dispose();
    }
}

/// <summary>The result of a forward pass with captures.</summary>
public sealed class UNetRun : IDisposable
{
    internal UNetRun(Tensor? output, IReadOnlyDictionary<Site, UNetState> states)
    {
        Output = output;
        States = states;
    }

    /// <summary>The prediction, [B, out, H, W]; null if the pass stopped after the last captured site.</summary>
    public Tensor? Output { get; }

    /// <summary>The captured states by site.</summary>
    public IReadOnlyDictionary<Site, UNetState> States { get; }

    public void Dispose()
    {
        Output?.Dispose();
        foreach (var state in States.Values)
            state.Dispose();
    }
}

/// <summary>
/// The state of a forward pass at a site: the input and output of the site before its hooks run, and everything that later stages need.
/// <see cref="UNet.Resume(UNetState, CancellationToken)"/> can resume from it any number of times. It shares memory with the pass, and
/// needs its conditioning until it is disposed.
/// </summary>
public sealed class UNetState : IDisposable
{
    internal UNetState(int stage, Walk walk, Tensor output)
    {
        Stage = stage;
        Walk = walk;
        Output = output;
    }

    /// <summary>The input of the site, [B, C, h, w]. Owned by the state: do not write to it or dispose it.</summary>
    public Tensor Input => Walk.Hidden;

    /// <summary>The output of the site before hooks, [B, C, h, w]. Owned by the state: do not write to it or dispose it.</summary>
    public Tensor Output { get; }

    /// <summary>Index of the stage of the site.</summary>
    internal int Stage { get; }

    /// <summary>The walk before the stage of the site.</summary>
    internal Walk Walk { get; }

    public void Dispose()
    {
        Walk.Dispose();
        Output.Dispose();
    }
}

/// <summary>
/// Gets the input and output of a site, both [B, C, h, w], and returns the tensor that replaces the output: the output itself, the input
/// (which removes the effect of the site), or a new tensor of the same shape and type. It must not write into its arguments. To keep
/// them after the call, it must copy or alias them.
/// </summary>
public delegate Tensor SiteHook(Tensor input, Tensor output);

/// <summary>
/// Gets the neurons of one basic block of a site's transformer: what the second linear layer of its feed-forward gets, [B, h w, 4C] for a
/// site of C channels. Returns the tensor that replaces it: the same, or a new one of the same shape and type. It must not write into its
/// argument. To keep it after the call, it must copy it. A pass that resumes at the site does not run its transformer again.
/// </summary>
/// <param name="block">The number of the basic block, from 0 on.</param>
public delegate Tensor NeuronHook(int block, Tensor activations);

/// <summary>Removes a hook when it is disposed.</summary>
internal sealed class Removal(Action remove) : IDisposable
{
    public void Dispose() => remove();
}

/// <summary>The current hooks in the order in which they were added. They can be removed in any order.</summary>
internal sealed class HookTable
{
    private readonly List<Entry> _entries = [];

    public IDisposable Add(Site site, SiteHook hook)
    {
        var entry = new Entry(this, site, hook);
        _entries.Add(entry);
        return entry;
    }

    /// <summary>
    /// Runs the hooks of a site. Each gets the same input and the output of the previous hook. The caller owns the result.
    /// </summary>
    public Tensor Apply(Site site, Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var current = output;
        foreach (var entry in _entries.Where(e => e.Site == site).ToArray())
            current = Checked(site, entry.Hook(input, current), output);

        return ChannelsLast.Convert(current).alias().MoveToOuterDisposeScope();
    }

    private static Tensor Checked(Site site, Tensor result, Tensor output) =>
        result.shape.SequenceEqual(output.shape) && result.dtype == output.dtype
            ? result
            : throw new ModelException($"A hook at {site} must return a tensor like {output}, but returned {result}.");

    private sealed class Entry(HookTable table, Site site, SiteHook hook) : IDisposable
    {
        public Site Site => site;

        public SiteHook Hook => hook;

        public void Dispose() => table._entries.Remove(this);
    }
}

/// <summary>A site of a model: a transformer whose output hooks can read and replace.</summary>
/// <param name="Site">The site.</param>
/// <param name="Channels">Width of its input and output.</param>
/// <param name="Downscale">Side of the latents over side of the site, if all sides halve evenly.</param>
public sealed record SiteShape(Site Site, int Channels, int Downscale)
{
    /// <summary>What the site is known for in its model, in a word; null if nothing is known.</summary>
    public string? Nickname { get; init; }

    /// <summary>Finds a site in those of a model.</summary>
    /// <exception cref="ModelException">The model has no such site.</exception>
    public static SiteShape Find(IReadOnlyList<SiteShape> sites, Site site) => sites.FirstOrDefault(shape => shape.Site == site)
        ?? throw new ModelException($"The model has no site {site}; its sites are {string.Join(", ", sites.Select(shape => shape.Site))}.");
}
