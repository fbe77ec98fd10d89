using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>x + proj_out(blocks(proj_in(norm(x)))) over the cells of a picture as rows.</summary>
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
            new BasicTransformerBlock(weights.At($"transformer_blocks.{i}"), channels, config.TextChannels, level.Heads))];
        _projectOut = new Linear(weights.At("proj_out"), channels, channels, asConvolution: !config.LinearProjection);
    }

    /// <summary>Keys and values of every basic block, of the text's hidden states [B, T, D].</summary>
    public IReadOnlyList<Tensor> KeyValues(Tensor text) => [.. _blocks.Select(block => block.KeyValue(text))];

    /// <summary>[B, C, H, W] to [B, C, H, W].</summary>
    public Tensor Forward(Tensor x, IReadOnlyList<Tensor> keyValues)
    {
        using var scope = NewDisposeScope();
        var rows = _projectIn.Forward(ChannelsLast.ToRows(_norm.Forward(x)));
        foreach (var (block, keyValue) in _blocks.Zip(keyValues))
        {
            var next = block.Forward(rows, keyValue);
            rows.Dispose();
            rows = next;
        }

        var delta = ChannelsLast.FromRows(_projectOut.Forward(rows), x.shape[2], x.shape[3]);
        return Private.Add(delta, x).MoveToOuterDisposeScope();
    }
}

/// <summary>Self-attention, attention to the text, and a feed-forward layer, each after a layer norm and around a residual connection.</summary>
internal sealed class BasicTransformerBlock(Weights weights, long channels, long textChannels, long heads)
{
    private readonly LayerNorm _norm1 = new(weights.At("norm1"), channels);
    private readonly SelfAttention _self = new(weights.At("attn1"), channels, heads);
    private readonly LayerNorm _norm2 = new(weights.At("norm2"), channels);
    private readonly CrossAttention _cross = new(weights.At("attn2"), channels, textChannels, heads);
    private readonly LayerNorm _norm3 = new(weights.At("norm3"), channels);
    private readonly FeedForward _feedForward = new(weights.At("ff"), channels);

    public Tensor KeyValue(Tensor text) => _cross.KeyValue(text);

    /// <summary>[B, N, C] to [B, N, C].</summary>
    public Tensor Forward(Tensor rows, Tensor keyValue)
    {
        using var scope = NewDisposeScope();
        rows = Private.Add(_self.Forward(_norm1.Forward(rows)), rows);
        rows = Private.Add(_cross.Forward(_norm2.Forward(rows), keyValue), rows);
        return Private.Add(_feedForward.Forward(_norm3.Forward(rows)), rows).MoveToOuterDisposeScope();
    }
}

/// <summary>Rows attend to each other; query, key and value come of one product.</summary>
internal sealed class SelfAttention(Weights weights, long channels, long heads)
{
    private readonly Tensor _projections = weights.GetFused(["to_q.weight", "to_k.weight", "to_v.weight"], channels, channels);
    private readonly Linear _out = new(weights.At("to_out.0"), channels, channels);

    /// <summary>[B, N, C] to [B, N, C].</summary>
    public Tensor Forward(Tensor rows)
    {
        using var scope = NewDisposeScope();
        var parts = Products.Linear(rows, _projections).chunk(3, -1);
        return _out.Forward(Attention.Forward(parts[0], parts[1], parts[2], heads)).MoveToOuterDisposeScope();
    }
}

/// <summary>Rows attend to the text. Its keys and values depend on nothing else, so they are made once for a prompt.</summary>
internal sealed class CrossAttention(Weights weights, long channels, long textChannels, long heads)
{
    private readonly Tensor _query = weights.Get("to_q.weight", channels, channels);
    private readonly Tensor _keyValue = weights.GetFused(["to_k.weight", "to_v.weight"], channels, textChannels);
    private readonly Linear _out = new(weights.At("to_out.0"), channels, channels);

    /// <summary>Key and value side by side, [B, T, 2C], of the text's hidden states [B, T, D].</summary>
    public Tensor KeyValue(Tensor text) => Products.Linear(text, _keyValue);

    /// <summary>[B, N, C] to [B, N, C].</summary>
    public Tensor Forward(Tensor rows, Tensor keyValue)
    {
        using var scope = NewDisposeScope();
        var query = Products.Linear(rows, _query);
        var parts = keyValue.chunk(2, -1);
        return _out.Forward(Attention.Forward(query, parts[0], parts[1], heads)).MoveToOuterDisposeScope();
    }
}

/// <summary>out(value * gelu(gate)), value and gate from one projection to four times the width each (GEGLU, Shazeer 2020).</summary>
internal sealed class FeedForward(Weights weights, long channels)
{
    private readonly Tensor _weight = weights.Get("net.0.proj.weight", 8 * channels, channels);
    private readonly Tensor _bias = weights.Get("net.0.proj.bias", 8 * channels);
    private readonly Linear _out = new(weights.At("net.2"), 4 * channels, channels);

    public Tensor Forward(Tensor rows)
    {
        using var scope = NewDisposeScope();
        // Two products instead of one with halves in every row: the passes between them then run over unbroken memory.
        var gate = Private.Gelu(Half(rows, 1));
        return _out.Forward(Private.Multiply(gate, Half(rows, 0))).MoveToOuterDisposeScope();
    }

    private Tensor Half(Tensor rows, int index)
    {
        var size = _bias.shape[0] / 2;
        return Products.Linear(rows, _weight.narrow(0, index * size, size), _bias.narrow(0, index * size, size));
    }
}

/// <summary>Sines and cosines of numbers at frequencies 10000^(-i / (n - shift)), in float32 (Ho et al. 2020, after Vaswani et al. 2017).</summary>
internal sealed class Sinusoid(int channels, bool cosineFirst, double frequencyShift)
{
    /// <summary>[N] numbers of any type as [N, channels].</summary>
    public Tensor Forward(Tensor numbers)
    {
        using var scope = NewDisposeScope();
        var half = channels / 2;
        var exponents = Arithmetic.Range(0, half, ScalarType.Float32, numbers.device).Times(-Math.Log(10000)).Over(half - frequencyShift);
        var angles = numbers.to_type(ScalarType.Float32).unsqueeze(1) * exponents.exp().unsqueeze(0);
        var (sines, cosines) = (angles.sin(), angles.cos());
        Tensor[] parts = cosineFirst ? [cosines, sines] : [sines, cosines];
        // An odd width ends in a zero.
        return cat(channels % 2 == 0 ? parts : [.. parts, zeros_like(angles.narrow(1, 0, 1))], 1).MoveToOuterDisposeScope();
    }
}

/// <summary>linear_2(silu(linear_1(x))): from a sinusoid to the width that residual blocks take.</summary>
internal sealed class TimeEmbedding(Weights weights, long inChannels, long outChannels)
{
    private readonly Linear _linear1 = new(weights.At("linear_1"), inChannels, outChannels);
    private readonly Linear _linear2 = new(weights.At("linear_2"), outChannels, outChannels);

    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return _linear2.Forward(Private.Silu(_linear1.Forward(x))).MoveToOuterDisposeScope();
    }
}
