using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>One step of a forward pass: computes new hidden states, and may add or use up a skip connection.</summary>
internal abstract class Stage
{
    /// <summary>The result also becomes a skip connection.</summary>
    public bool PushesSkip { get; init; }

    /// <summary>The stage uses up the next skip connection.</summary>
    public bool DropsSkip { get; init; }

    /// <summary>The site at which hooks see the result; null if there is none.</summary>
    public virtual SiteShape? Site => null;

    public abstract Tensor Forward(Walk walk);
}

internal sealed class ConvolutionStage(Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) => convolution.Forward(walk.Hidden);
}

/// <summary>A residual block. On the way up it takes the hidden states and the next skip connection.</summary>
internal sealed class ResnetStage(ResnetBlock block) : Stage
{
    public override Tensor Forward(Walk walk) =>
        block.Forward(DropsSkip ? cat([walk.Hidden, walk.NextSkip], 1) : walk.Hidden, walk.Time);
}

internal sealed class TransformerStage(Transformer2D transformer, SiteShape site) : Stage
{
    public override SiteShape Site => site;

    /// <summary>The current hooks of its neurons, in the order in which they were added.</summary>
    public List<NeuronHook> NeuronHooks { get; } = [];

    public IReadOnlyList<Tensor> KeyValues(Tensor text) => transformer.KeyValues(text);

    public override Tensor Forward(Walk walk) =>
        transformer.Forward(walk.Hidden, walk.Conditioning.KeyValues[site.Site], NeuronHooks.Count > 0 ? Hooked : null);

    private Tensor Hooked(int block, Tensor activations) => NeuronHooks.Aggregate(activations, (current, hook) =>
        hook(block, current) is var result && result.shape.SequenceEqual(current.shape) && result.dtype == current.dtype
            ? result
            : throw new ModelException($"A hook of neurons at {site.Site} must return a tensor like {current}, but returned {result}."));
}

/// <summary>Upsamples to the size of the next skip connection, which is not exactly double if a side was odd.</summary>
internal sealed class UpsampleStage(Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) =>
        convolution.Forward(ChannelsLast.UpsampleNearest(walk.Hidden, walk.NextSkip.shape[2], walk.NextSkip.shape[3]));
}

/// <summary>conv_out(silu(norm(x))).</summary>
internal sealed class OutputStage(GroupNorm norm, Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) => convolution.Forward(norm.ForwardSilu(walk.Hidden)).contiguous();
}

/// <summary>Builds the stages of a configuration in the order in which they run.</summary>
internal sealed class StageBuilder
{
    private readonly UNetConfig _config;
    private readonly Weights _weights;
    private readonly List<Stage> _stages = [];
    private readonly Stack<int> _skipChannels = new();
    private int _channels;

    private StageBuilder(Weights weights, UNetConfig config)
    {
        _weights = weights;
        _config = config;
    }

    public static IReadOnlyList<Stage> Build(Weights weights, UNetConfig config)
    {
        var builder = new StageBuilder(weights, config);
        builder.AddInput();
        for (var i = 0; i < config.Levels.Count; i++)
            builder.AddDown(i);
        builder.AddMiddle();
        for (var i = 0; i < config.Levels.Count; i++)
            builder.AddUp(i);
        builder.AddOutput();
        return builder._stages;
    }

    private void AddInput()
    {
        _channels = _config.Levels[0].Channels;
        var weights = _weights.At("conv_in");
        var convolution = new Conv2d(weights, _config.InChannels, _channels, _config.InKernel, padding: _config.InKernel / 2);
        Add(new ConvolutionStage(convolution) { PushesSkip = true });
    }

    private void AddDown(int index)
    {
        var level = _config.Levels[index];
        var path = $"down_blocks.{index}";
        for (var i = 0; i < level.Layers; i++)
        {
            AddResnet($"{path}.resnets.{i}", level.Channels, pushesSkip: !level.DownAttention);
            if (level.DownAttention)
                AddTransformer(Site.Down(index, i), index, pushesSkip: true);
        }

        if (index < _config.Levels.Count - 1)
        {
            var weights = _weights.At($"{path}.downsamplers.0.conv");
            var convolution = new Conv2d(weights, _channels, _channels, kernel: 3, stride: 2, padding: 1);
            Add(new ConvolutionStage(convolution) { PushesSkip = true });
        }
    }

    private void AddMiddle()
    {
        AddResnet("mid_block.resnets.0", _channels);
        AddTransformer(Site.Mid(0), _config.Levels.Count - 1);
        AddResnet("mid_block.resnets.1", _channels);
    }

    private void AddUp(int index)
    {
        var levelIndex = _config.Levels.Count - 1 - index;
        var level = _config.Levels[levelIndex];
        var path = $"up_blocks.{index}";
        for (var i = 0; i <= level.Layers; i++)
        {
            AddResnet($"{path}.resnets.{i}", level.Channels, skipChannels: _skipChannels.Pop());
            if (level.UpAttention)
                AddTransformer(Site.Up(index, i), levelIndex);
        }

        if (levelIndex > 0)
            Add(new UpsampleStage(new Conv2d(_weights.At($"{path}.upsamplers.0.conv"), _channels, _channels, kernel: 3, padding: 1)));
    }

    private void AddOutput()
    {
        var norm = new GroupNorm(_weights.At("conv_norm_out"), _config.NormGroups, _channels, _config.NormEps);
        Add(new OutputStage(norm, new Conv2d(
            _weights.At("conv_out"), _channels, _config.OutChannels, _config.OutKernel, padding: _config.OutKernel / 2)));
    }

    private void AddResnet(string path, int outChannels, bool pushesSkip = false, int skipChannels = 0)
    {
        var block = new ResnetBlock(
            _weights.At(path), _channels + skipChannels, outChannels, _config.NormGroups, _config.NormEps, _config.TimeChannels);
        _channels = outChannels;
        Add(new ResnetStage(block) { PushesSkip = pushesSkip, DropsSkip = skipChannels > 0 });
    }

    private void AddTransformer(Site site, int levelIndex, bool pushesSkip = false)
    {
        var weights = _weights.At(site.ModulePath["unet.".Length..]);
        var transformer = new Transformer2D(weights, _config, _config.Levels[levelIndex]);
        Add(new TransformerStage(transformer, new SiteShape(site, _channels, 1 << levelIndex)) { PushesSkip = pushesSkip });
    }

    private void Add(Stage stage)
    {
        _stages.Add(stage);
        if (stage.PushesSkip)
            _skipChannels.Push(_channels);
    }
}

/// <summary>
/// The state of a forward pass between two stages: hidden states, unused skip connections and the time embedding. Each walk owns its
/// handles, which are aliases of shared memory. A copy therefore costs no memory and can outlive the original. No stage may write into a
/// tensor of a walk.
/// </summary>
internal sealed class Walk : IDisposable
{
    private readonly Stack<Tensor> _skips;

    private Walk(Tensor hidden, IEnumerable<Tensor> skips, Tensor time, UNetConditioning conditioning)
    {
        Hidden = hidden;
        _skips = new Stack<Tensor>(skips);
        Time = time;
        Conditioning = conditioning;
    }

    /// <summary>Hidden states, [B, C, h, w].</summary>
    public Tensor Hidden { get; private set; }

    /// <summary>silu of the time embedding, [B, time channels].</summary>
    public Tensor Time { get; }

    public UNetConditioning Conditioning { get; }

    public Tensor NextSkip => _skips.Peek();

    public static Walk Start(Tensor sample, Tensor time, UNetConditioning conditioning) =>
        new(Own(sample), [], Own(time), conditioning);

    public Walk Copy() => new(Own(Hidden), _skips.Reverse().Select(Own), Own(Time), Conditioning);

    /// <summary>Takes ownership of the result of a stage and updates the skip connections.</summary>
    public void Advance(Stage stage, Tensor result)
    {
        Hidden.Dispose();
        Hidden = result;
        if (stage.DropsSkip)
            _skips.Pop().Dispose();
        if (stage.PushesSkip)
            _skips.Push(Own(Hidden));
    }

    public void Dispose()
    {
        Hidden.Dispose();
        Time.Dispose();
        foreach (var skip in _skips)
            skip.Dispose();
    }

    /// <summary>Computes in a dispose scope of its own. The caller owns the result.</summary>
    public static Tensor Compute(Func<Tensor> computation)
    {
        using var scope = NewDisposeScope();
        return computation().DetachFromDisposeScope();
    }

    /// <summary>A new handle to the same memory. The caller owns it.</summary>
    public static Tensor Own(Tensor tensor) => tensor.alias().DetachFromDisposeScope();
}

/// <summary>x + proj_out(blocks(proj_in(norm(x)))), with one row for each pixel.</summary>
internal sealed class Transformer2D
{
    private readonly GroupNorm _norm;
    private readonly Linear _projectIn;
    private readonly BasicTransformerBlock[] _blocks;
    private readonly Linear _projectOut;

    public Transformer2D(Weights weights, UNetConfig config, UNetLevel level)
    {
        var channels = level.Channels;
        _norm = new GroupNorm(weights.At("norm"), config.NormGroups, channels, eps: 1e-6);
        _projectIn = new Linear(weights.At("proj_in"), channels, channels, asConvolution: !config.LinearProjection);
        _blocks = [.. Enumerable.Range(0, level.TransformerLayers).Select(i =>
            new BasicTransformerBlock(weights.At($"transformer_blocks.{i}"), channels, config.TextChannels, level.Heads,
                config.UpcastAttention))];
        _projectOut = new Linear(weights.At("proj_out"), channels, channels, asConvolution: !config.LinearProjection);
    }

    /// <summary>Keys and values of each basic block for text states [B, T, D].</summary>
    public IReadOnlyList<Tensor> KeyValues(Tensor text) => [.. _blocks.Select(block => block.KeyValue(text))];

    /// <summary>[B, C, H, W] to [B, C, H, W].</summary>
    /// <param name="neurons">Reads or replaces the neurons of each basic block; null if nothing does.</param>
    public Tensor Forward(Tensor x, IReadOnlyList<Tensor> keyValues, NeuronHook? neurons)
    {
        using var scope = NewDisposeScope();
        var rows = _projectIn.Forward(ChannelsLast.ToRows(_norm.Forward(x)));
        foreach (var (index, (block, keyValue)) in _blocks.Zip(keyValues).Index())
            rows = rows.Into(t => block.Forward(t, keyValue,
                neurons is null ? null : activations => neurons(index, activations)));
        var result = _projectOut.ForwardAdd(rows, ChannelsLast.ToRows(x));
        return ChannelsLast.FromRows(result, x.shape[2], x.shape[3]).MoveToOuterDisposeScope();
    }
}

/// <summary>Self-attention, cross-attention to the text and a feed-forward layer; each normalises its input and adds to it.</summary>
internal sealed class BasicTransformerBlock(Weights weights, long channels, long textChannels, long heads, bool upcast)
{
    private readonly LayerNorm _norm1 = new(weights.At("norm1"), channels);
    private readonly SelfAttention _self = new(weights.At("attn1"), channels, heads, upcast);
    private readonly LayerNorm _norm2 = new(weights.At("norm2"), channels);
    private readonly CrossAttention _cross = new(weights.At("attn2"), channels, textChannels, heads, upcast);
    private readonly LayerNorm _norm3 = new(weights.At("norm3"), channels);
    private readonly FeedForward _feedForward = new(weights.At("ff"), channels);

    public Tensor KeyValue(Tensor text) => _cross.KeyValue(text);

    /// <summary>[B, N, C] to [B, N, C].</summary>
    public Tensor Forward(Tensor rows, Tensor keyValue, Func<Tensor, Tensor>? neurons)
    {
        using var scope = NewDisposeScope();
        rows = _self.ForwardAdd(_norm1, rows);
        rows = _cross.ForwardAdd(_norm2, rows, keyValue);
        return _feedForward.ForwardAdd(_norm3, rows, neurons).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention of the rows to each other. One matrix product computes query, key and value.</summary>
internal sealed class SelfAttention(Weights weights, long channels, long heads, bool upcast)
{
    private readonly WeightMatrix _projections = weights.GetMatrix(["to_q.weight", "to_k.weight", "to_v.weight"], channels, channels);
    private readonly Linear _out = new(weights.At("to_out.0"), channels, channels);

    /// <summary>The rows plus the attention of norm(rows), [B, N, C].</summary>
    public Tensor ForwardAdd(LayerNorm norm, Tensor rows)
    {
        using var scope = NewDisposeScope();
        var parts = _projections.Multiply(norm, rows).chunk(3, -1);
        return _out.ForwardAdd(Attention.Forward(parts[0], parts[1], parts[2], heads, upcast: upcast), rows).MoveToOuterDisposeScope();
    }
}

/// <summary>Attention of the rows to the text. Keys and values depend only on the text, so they are computed once for a prompt.</summary>
internal sealed class CrossAttention(Weights weights, long channels, long textChannels, long heads, bool upcast)
{
    private readonly WeightMatrix _query = weights.GetMatrix(["to_q.weight"], channels, channels);
    private readonly WeightMatrix _keyValue = weights.GetMatrix(["to_k.weight", "to_v.weight"], channels, textChannels);
    private readonly Linear _out = new(weights.At("to_out.0"), channels, channels);

    /// <summary>Keys and values side by side, [B, T, 2C], for text states [B, T, D].</summary>
    public Tensor KeyValue(Tensor text) => _keyValue.Multiply(text);

    /// <summary>The rows plus the attention of norm(rows) to the text, [B, N, C].</summary>
    public Tensor ForwardAdd(LayerNorm norm, Tensor rows, Tensor keyValue)
    {
        using var scope = NewDisposeScope();
        var query = _query.Multiply(norm, rows);
        var parts = keyValue.chunk(2, -1);
        var attended = Attention.Forward(query, parts[0], parts[1], heads, upcast: upcast, isRounded: _query.Scales is not null);
        return _out.ForwardAdd(attended, rows).MoveToOuterDisposeScope();
    }
}

/// <summary>out(value * gelu(gate)), where value and gate are each four times as wide as the input (GEGLU, arXiv 2002.05202).</summary>
internal sealed class FeedForward(Weights weights, long channels)
{
    private readonly WeightMatrix _weight = weights.GetMatrix(["net.0.proj.weight"], 8 * channels, channels);
    private readonly Tensor _bias = weights.Get("net.0.proj.bias", 8 * channels);
    private readonly Linear _out = new(weights.At("net.2"), 4 * channels, channels);

    /// <summary>The rows plus the result of norm(rows), [B, N, C].</summary>
    /// <param name="neurons">Reads or replaces what the second linear layer gets, [B, N, 4C]; null if nothing does.</param>
    public Tensor ForwardAdd(LayerNorm norm, Tensor rows, Func<Tensor, Tensor>? neurons)
    {
        using var scope = NewDisposeScope();
        var result = neurons is null && _weight.TryMultiplyRoundedGeglu(norm, rows, _bias) is { } rounded
            ? _out.ForwardAdd(rounded, rows)
            : _out.ForwardAdd((neurons ?? (hidden => hidden))(_weight.MultiplyGeglu(norm, rows, _bias)), rows);
        return result.MoveToOuterDisposeScope();
    }
}

/// <summary>Sines and cosines at frequencies 10000^(-i / (n - shift)), in float32 (arXiv 2006.11239, after arXiv 1706.03762).</summary>
internal sealed class Sinusoid(int channels, bool cosineFirst, double frequencyShift)
{
    /// <summary>Embeds [N] numbers of any type as [N, channels].</summary>
    public Tensor Forward(Tensor numbers)
    {
        using var scope = NewDisposeScope();
        var half = channels / 2;
        var indices = Arithmetic.Range(0, half, ScalarType.Float32, numbers.device);
        var exponents = indices.Times(-Math.Log(10000)).Over(half - frequencyShift);
        var angles = numbers.to_type(ScalarType.Float32).unsqueeze(1) * exponents.exp().unsqueeze(0);
        var (sines, cosines) = (angles.sin(), angles.cos());
        Tensor[] parts = cosineFirst ? [cosines, sines] : [sines, cosines];
        // If the width is odd, the last value is zero.
        return cat(channels % 2 == 0 ? parts : [.. parts, zeros_like(angles.narrow(1, 0, 1))], 1).MoveToOuterDisposeScope();
    }
}

/// <summary>The embedding of pooled text and of the sizes of the image, which SDXL adds to that of the timestep.</summary>
internal sealed class SizeEmbedding(Weights weights, UNetConfig config, UNetAddition addition)
{
    private readonly Sinusoid _sinusoid = new(addition.TimeIdChannels, config.CosineFirst, config.FrequencyShift);
    private readonly TimeEmbedding _embedding = new(weights, addition.Channels, config.TimeChannels);

    /// <summary>[B, P] and [B, N] to [B, time channels], in the type of the pooled text.</summary>
    public Tensor Forward(Tensor pooled, Tensor timeIds)
    {
        using var scope = NewDisposeScope();
        var times = _sinusoid.Forward(timeIds.flatten()).reshape(pooled.shape[0], -1);
        return _embedding.Forward(cat([pooled, times.to_type(pooled.dtype)], 1)).MoveToOuterDisposeScope();
    }
}

/// <summary>linear_2(silu(linear_1(x))).</summary>
internal sealed class TimeEmbedding(Weights weights, long inChannels, long outChannels)
{
    private readonly Linear _linear1 = new(weights.At("linear_1"), inChannels, outChannels);
    private readonly Linear _linear2 = new(weights.At("linear_2"), outChannels, outChannels);

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return _linear2.Forward(InPlace.Silu(_linear1.Forward(x))).MoveToOuterDisposeScope();
    }
}
