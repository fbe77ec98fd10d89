namespace SaeUnbox.Models;

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
                AddTransformer(path, $"down.{index}.{i}", i, index, pushesSkip: true);
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
        AddTransformer("mid_block", "mid.0", 0, _config.Levels.Count - 1);
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
                AddTransformer(path, $"up.{index}.{i}", i, levelIndex);
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

    private void AddTransformer(string block, string code, int index, int levelIndex, bool pushesSkip = false)
    {
        var path = $"{block}.attentions.{index}";
        var transformer = new Transformer2D(_weights.At(path), _config, _config.Levels[levelIndex]);
        var site = new UNetSite(code, $"unet.{path}", _channels, 1 << levelIndex);
        Add(new TransformerStage(transformer, site) { PushesSkip = pushesSkip });
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
