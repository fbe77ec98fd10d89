using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>One step of the walk: what it makes of the hidden picture, and what it does to the skip connections.</summary>
internal abstract class Stage
{
    /// <summary>The result is also a skip connection.</summary>
    public bool PushesSkip { get; init; }

    /// <summary>The stage has used up the next skip connection.</summary>
    public bool DropsSkip { get; init; }

    /// <summary>Set where the stage's result can be watched and changed.</summary>
    public virtual SiteShape? Site => null;

    public abstract Tensor Forward(Walk walk);
}

internal sealed class ConvolutionStage(Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) => convolution.Forward(walk.Hidden);
}

/// <summary>A residual block; in the up path over the hidden picture and the next skip connection.</summary>
internal sealed class ResnetStage(ResnetBlock block) : Stage
{
    public override Tensor Forward(Walk walk) =>
        block.Forward(DropsSkip ? cat([walk.Hidden, walk.NextSkip], 1) : walk.Hidden, walk.Time);
}

internal sealed class TransformerStage(Transformer2D transformer, SiteShape site) : Stage
{
    public override SiteShape Site => site;

    public IReadOnlyList<Tensor> KeyValues(Tensor text) => transformer.KeyValues(text);

    public override Tensor Forward(Walk walk) => transformer.Forward(walk.Hidden, walk.Conditioning.KeyValues[site.Site]);
}

/// <summary>To the size of the next skip connection, which is not twice the hidden picture's where a side was odd.</summary>
internal sealed class UpsampleStage(Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) =>
        convolution.Forward(Upsample.Nearest(walk.Hidden, walk.NextSkip.shape[2], walk.NextSkip.shape[3]));
}

/// <summary>conv_out(silu(norm(x))).</summary>
internal sealed class OutputStage(GroupNorm norm, Conv2d convolution) : Stage
{
    public override Tensor Forward(Walk walk) => convolution.Forward(norm.ForwardSilu(walk.Hidden)).contiguous();
}

/// <summary>Lays a configuration out as the list of stages, in the order they run, each under its path in the checkpoint.</summary>
internal sealed class StageList
{
    private readonly UNetConfig _config;
    private readonly Weights _weights;
    private readonly List<Stage> _stages = [];
    private readonly Stack<int> _skipChannels = new();
    private int _channels;

    private StageList(Weights weights, UNetConfig config)
    {
        _weights = weights;
        _config = config;
    }

    public static IReadOnlyList<Stage> Build(Weights weights, UNetConfig config)
    {
        var list = new StageList(weights, config);
        list.AddInput();
        for (var i = 0; i < config.Levels.Count; i++)
        {
            list.AddDown(i);
        }

        list.AddMiddle();
        for (var i = 0; i < config.Levels.Count; i++)
        {
            list.AddUp(i);
        }

        list.AddOutput();
        return list._stages;
    }

    private void AddInput()
    {
        _channels = _config.Levels[0].Channels;
        var convolution = new Conv2d(_weights.At("conv_in"), _config.InChannels, _channels, _config.InKernel, padding: _config.InKernel / 2);
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
            {
                AddTransformer(HookSite.Down(index, i), index, pushesSkip: true);
            }
        }

        if (index < _config.Levels.Count - 1)
        {
            var convolution = new Conv2d(_weights.At($"{path}.downsamplers.0.conv"), _channels, _channels, kernel: 3, stride: 2, padding: 1);
            Add(new ConvolutionStage(convolution) { PushesSkip = true });
        }
    }

    private void AddMiddle()
    {
        AddResnet("mid_block.resnets.0", _channels);
        AddTransformer(HookSite.Mid(0), _config.Levels.Count - 1);
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
            {
                AddTransformer(HookSite.Up(index, i), levelIndex);
            }
        }

        if (levelIndex > 0)
        {
            Add(new UpsampleStage(new Conv2d(_weights.At($"{path}.upsamplers.0.conv"), _channels, _channels, kernel: 3, padding: 1)));
        }
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

    private void AddTransformer(HookSite site, int levelIndex, bool pushesSkip = false)
    {
        var transformer = new Transformer2D(_weights.At(site.ModulePath["unet.".Length..]), _config, _config.Levels[levelIndex]);
        Add(new TransformerStage(transformer, new SiteShape(site, _channels, 1 << levelIndex)) { PushesSkip = pushesSkip });
    }

    private void Add(Stage stage)
    {
        _stages.Add(stage);
        if (stage.PushesSkip)
        {
            _skipChannels.Push(_channels);
        }
    }
}

/// <summary>
/// What the stages pass on: the hidden picture, the skip connections still to be used, the time embedding. Every holder owns a
/// handle of its own (an alias shares the memory), so a copy of the walk costs no memory and outlives it; no stage writes into a
/// tensor that a walk holds.
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

    public Tensor Hidden { get; private set; }

    /// <summary>silu of the time embedding, [B, time channels].</summary>
    public Tensor Time { get; }

    public UNetConditioning Conditioning { get; }

    /// <summary>The skip connection that is used next.</summary>
    public Tensor NextSkip => _skips.Peek();

    public static Walk Start(Tensor sample, Tensor time, UNetConditioning conditioning) =>
        new(Own(sample), [], Own(time), conditioning);

    public Walk Copy() => new(Own(Hidden), _skips.Reverse().Select(Own), Own(Time), Conditioning);

    /// <summary>Takes over an owned handle, the stage's result, and keeps the skip connections in step.</summary>
    public void Advance(Stage stage, Tensor result)
    {
        Hidden.Dispose();
        Hidden = result;
        if (stage.DropsSkip)
        {
            _skips.Pop().Dispose();
        }

        if (stage.PushesSkip)
        {
            _skips.Push(Own(Hidden));
        }
    }

    public void Dispose()
    {
        Hidden.Dispose();
        Time.Dispose();
        foreach (var skip in _skips)
        {
            skip.Dispose();
        }
    }

    /// <summary>Runs a computation in a dispose scope of its own; the result is an owned handle.</summary>
    public static Tensor Compute(Func<Tensor> computation)
    {
        using var scope = NewDisposeScope();
        return computation().DetachFromDisposeScope();
    }

    public static Tensor Own(Tensor tensor) => tensor.alias().DetachFromDisposeScope();
}
