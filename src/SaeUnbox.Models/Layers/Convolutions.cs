using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>A square convolution over [B, in, H, W].</summary>
internal sealed class Conv2d
{
    // With fewer output channels, copying the patches costs more than the matrix product saves.
    private const long MinOutputs = 512;

    private readonly Tensor _weight;
    private readonly Int8Kernel? _int8;
    private readonly Tensor? _bias;
    private readonly long _kernel;
    private readonly long _stride;
    private readonly long _padding;

    public Conv2d(Weights weights, long inChannels, long outChannels, long kernel, long stride = 1, long padding = 0, bool bias = true)
    {
        _int8 = weights.FindInt8Kernel("weight", outChannels, inChannels, kernel);
        _weight = _int8?.Values ?? weights.GetChannelsLast("weight", outChannels, inChannels, kernel, kernel);
        _bias = bias ? weights.Get("bias", outChannels) : null;
        (_kernel, _stride, _padding) = (kernel, stride, padding);
    }

    public Tensor Forward(Tensor x)
    {
        if (_int8 is not null)
            return Int8Convolution.Convolve(x, _int8, _bias, _stride, _padding);
        if (_kernel == 3 && _stride == 1 && _padding == 1 && Winograd.IsFaster(x, _weight))
            return WithWinograd(x);
        return IsFasterAsMatrixProduct(x)
            ? AsMatrixProduct(x)
            : Functional.Conv2d(x, _weight, _bias, [_stride, _stride], [_padding, _padding]);
    }

    /// <summary>The result plus another tensor of its shape and type.</summary>
    public Tensor ForwardAdd(Tensor x, Tensor added) => _int8 is not null
        ? Int8Convolution.Convolve(x, _int8, _bias, _stride, _padding, added)
        : InPlace.Add(Forward(x), added);

    // Transforms the kernel in every call, because a stored copy would need nearly twice the memory of the weights.
    private Tensor WithWinograd(Tensor x)
    {
        using var scope = NewDisposeScope();
        return Winograd.Convolve(x, Winograd.Transform(_weight), _bias).MoveToOuterDisposeScope();
    }

    // oneDNN reorders the kernel in every call, which for so few pixels takes as long as the convolution.
    private bool IsFasterAsMatrixProduct(Tensor x) => x.device_type == DeviceType.CPU && !is_grad_enabled() && !RowProducts.AreSlow(x.dtype)
        && _weight.shape[0] >= MinOutputs && _weight.shape[0] >= 2 * x.shape[0] * Side(x.shape[2]) * Side(x.shape[3]);

    // Copies the patch around each output pixel into a row (im2col) and multiplies by the kernel as a matrix.
    private Tensor AsMatrixProduct(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (batch, channels, height, width) = (x.shape[0], x.shape[1], Side(x.shape[2]), Side(x.shape[3]));
        var padded = nn.functional.pad(x.permute(0, 2, 3, 1), [0, 0, _padding, _padding, _padding, _padding]).contiguous();
        var (column, row) = (padded.stride(2), padded.stride(1));
        var patches = padded.as_strided(
            [batch, height, width, _kernel, _kernel, channels], [padded.stride(0), _stride * row, _stride * column, row, column, 1]);
        var rows = patches.reshape(batch, height * width, _kernel * _kernel * channels);
        var product = Functional.Linear(rows, _weight.permute(0, 2, 3, 1).flatten(1), _bias);
        return ChannelsLast.FromRows(product, height, width).MoveToOuterDisposeScope();
    }

    private long Side(long side) => (side + 2 * _padding - _kernel) / _stride + 1;
}

/// <summary>
/// A 3x3 convolution after nearest upsampling by 2, without the upsampled image. Two of three taps always read the same input pixel, so
/// each of the four output pixels of an input pixel is a 2x2 convolution with summed taps: 16 products instead of 36.
/// </summary>
internal sealed class UpsampleConv2d(Weights weights, int channels, bool bias = true)
{
    private readonly Tensor _weight = weights.Get("weight", channels, channels, 3, 3);
    private readonly Tensor? _bias = bias ? weights.Get("bias", channels) : null;

    /// <summary>[B, C, h, w] to [B, C, 2h, 2w], channels last.</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (batch, height, width) = (x.shape[0], x.shape[2], x.shape[3]);
        var padded = nn.functional.pad(x, [1, 1, 1, 1]);
        var pixels = empty([batch, height, 2, width, 2, channels], x.dtype, x.device);
        foreach (var (i, j) in ((int, int)[])[(0, 0), (0, 1), (1, 0), (1, 1)])
        {
            using var part = NewDisposeScope();
            var window = padded.narrow(2, i, height + 1).narrow(3, j, width + 1);
            var quarter = Functional.Conv2d(window, SumTaps(SumTaps(_weight, i, 2), j, 3), _bias, [1, 1], [0, 0]);
            pixels.select(4, j).select(2, i).copy_(quarter.permute(0, 2, 3, 1));
        }

        return pixels.view(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    // The first output pixel of a pair reads its left neighbour once and its own pixel twice; the second reads its own pixel twice and its
    // right neighbour once.
    private static Tensor SumTaps(Tensor weight, int which, int axis)
    {
        var (first, middle, last) = (weight.narrow(axis, 0, 1), weight.narrow(axis, 1, 1), weight.narrow(axis, 2, 1));
        return which == 0 ? cat([first, middle.Plus(last)], axis) : cat([first.Plus(middle), last], axis);
    }
}

/// <summary>
/// Images have the shape [B, C, H, W] and are stored channels last. Convolutions are fastest in this order, and the rows [B, H * W, C]
/// that linear layers take are a view of it.
/// </summary>
internal static class ChannelsLast
{
    /// <summary>The same tensor stored channels last; a copy only if it is stored otherwise.</summary>
    public static Tensor Convert(Tensor x) => x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    /// <summary>[B, C, H, W] as [B, HW, C].</summary>
    public static Tensor ToRows(Tensor x) => x.permute(0, 2, 3, 1).flatten(1, 2);

    /// <summary>[B, HW, C] as [B, C, H, W].</summary>
    public static Tensor FromRows(Tensor rows, long height, long width) =>
        rows.reshape(rows.shape[0], height, width, rows.shape[2]).permute(0, 3, 1, 2);

    /// <summary>Resizes to any larger size: pixel i of the result is pixel floor(i * old / new).</summary>
    public static Tensor UpsampleNearest(Tensor x, long height, long width) =>
        nn.functional.interpolate(x, [height, width], mode: InterpolationMode.Nearest);
}

/// <summary>x + conv2(silu(norm2(conv1(silu(norm1(x))) + time))); if the width changes, a 1x1 convolution adapts x.</summary>
internal sealed class ResnetBlock
{
    private readonly GroupNorm _norm1;
    private readonly Conv2d _conv1;
    private readonly Linear? _timeProjection;
    private readonly GroupNorm _norm2;
    private readonly Conv2d _conv2;
    private readonly Conv2d? _shortcut;

    /// <param name="timeChannels">Width of the time embedding; null if the block takes none.</param>
    public ResnetBlock(Weights weights, long inChannels, long outChannels, long groups, double eps, long? timeChannels = null)
    {
        _norm1 = new GroupNorm(weights.At("norm1"), groups, inChannels, eps);
        _conv1 = new Conv2d(weights.At("conv1"), inChannels, outChannels, kernel: 3, padding: 1);
        _timeProjection = timeChannels is { } width ? new Linear(weights.At("time_emb_proj"), width, outChannels) : null;
        _norm2 = new GroupNorm(weights.At("norm2"), groups, outChannels, eps);
        _conv2 = new Conv2d(weights.At("conv2"), outChannels, outChannels, kernel: 3, padding: 1);
        _shortcut = inChannels == outChannels ? null : new Conv2d(weights.At("conv_shortcut"), inChannels, outChannels, kernel: 1);
    }

    /// <param name="x">[B, in, H, W].</param>
    /// <param name="activatedTime">silu of the time embedding, [B, width]. All blocks share it, so the caller computes it once.</param>
    public Tensor Forward(Tensor x, Tensor? activatedTime = null)
    {
        using var scope = NewDisposeScope();
        var hidden = _conv1.Forward(_norm1.ForwardSilu(x));
        if (_timeProjection is not null)
        {
            var time = activatedTime ?? throw new ArgumentNullException(nameof(activatedTime), "This block needs a time embedding.");
            hidden = InPlace.Add(hidden, _timeProjection.Forward(time).unsqueeze(-1).unsqueeze(-1));
        }

        return _conv2.ForwardAdd(_norm2.ForwardSilu(hidden), _shortcut?.Forward(x) ?? x).MoveToOuterDisposeScope();
    }
}
