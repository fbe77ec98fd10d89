using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>A square convolution over [B, in, H, W].</summary>
internal sealed class Conv2d
{
    // Products of fewer do not pay for the neighbourhoods' copies.
    private const long LeastOutputs = 512;

    private readonly Tensor _weight;
    private readonly Tensor? _bias;
    private readonly long _kernel;
    private readonly long _stride;
    private readonly long _padding;

    public Conv2d(Weights weights, long inChannels, long outChannels, long kernel, long stride = 1, long padding = 0, bool bias = true)
    {
        _weight = weights.GetChannelsLast("weight", outChannels, inChannels, kernel, kernel);
        _bias = bias ? weights.Get("bias", outChannels) : null;
        (_kernel, _stride, _padding) = (kernel, stride, padding);
    }

    public Tensor Forward(Tensor x)
    {
        if (_kernel == 3 && _stride == 1 && _padding == 1 && Winograd.IsFaster(x, _weight))
            return AsTiles(x);
        return IsFasterAsProduct(x) ? AsProduct(x) : Products.Conv2d(x, _weight, _bias, [_stride, _stride], [_padding, _padding]);
    }

    // The kernel is transformed every time: kept, it would take near twice the weights' memory.
    private Tensor AsTiles(Tensor x)
    {
        using var scope = NewDisposeScope();
        return Winograd.Convolve(x, Winograd.Transform(_weight), _bias).MoveToOuterDisposeScope();
    }

    // oneDNN brings a kernel into its own order in every call, which takes as long as convolving a picture of so few cells.
    private bool IsFasterAsProduct(Tensor x) => x.device_type == DeviceType.CPU && !is_grad_enabled() && !RowProducts.AreSlow(x.dtype)
        && _weight.shape[0] >= LeastOutputs && _weight.shape[0] >= 2 * x.shape[0] * Side(x.shape[2]) * Side(x.shape[3]);

    /// <summary>Every cell's neighbourhood as a row, times the kernel as a matrix.</summary>
    private Tensor AsProduct(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (batch, channels, height, width) = (x.shape[0], x.shape[1], Side(x.shape[2]), Side(x.shape[3]));
        var cells = nn.functional.pad(x.permute(0, 2, 3, 1), [0, 0, _padding, _padding, _padding, _padding]).contiguous();
        var (column, row) = (cells.stride(2), cells.stride(1));
        var neighbourhoods = cells.as_strided(
            [batch, height, width, _kernel, _kernel, channels], [cells.stride(0), _stride * row, _stride * column, row, column, 1]);
        var rows = neighbourhoods.reshape(batch, height * width, _kernel * _kernel * channels);
        var product = Products.Linear(rows, _weight.permute(0, 2, 3, 1).flatten(1), _bias);
        return ChannelsLast.FromRows(product, height, width).MoveToOuterDisposeScope();
    }

    private long Side(long side) => (side + 2 * _padding - _kernel) / _stride + 1;
}

/// <summary>
/// Twice the size by repeating cells, then a 3x3 convolution, without making the large picture: where cells repeat, two of three taps
/// meet the same cell, so each of the four cells that one becomes is a 2x2 convolution with summed taps: 16 products, not 36.
/// </summary>
internal sealed class DoublingConv2d(Weights weights, int channels, bool bias = true)
{
    private readonly Tensor _weight = weights.Get("weight", channels, channels, 3, 3);
    private readonly Tensor? _bias = bias ? weights.Get("bias", channels) : null;

    /// <summary>[B, C, h, w] to [B, C, 2h, 2w], channels last.</summary>
    public Tensor Forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (batch, height, width) = (x.shape[0], x.shape[2], x.shape[3]);
        var padded = nn.functional.pad(x, [1, 1, 1, 1]);
        var cells = empty([batch, height, 2, width, 2, channels], x.dtype, x.device);
        for (var i = 0; i < 2; i++)
        {
            for (var j = 0; j < 2; j++)
            {
                using var part = NewDisposeScope();
                var window = padded.narrow(2, i, height + 1).narrow(3, j, width + 1);
                var quarter = Products.Conv2d(window, Taps(Taps(_weight, i, 2), j, 3), _bias, [1, 1], [0, 0]);
                cells.select(4, j).select(2, i).copy_(quarter.permute(0, 2, 3, 1));
            }
        }

        return cells.view(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    // The first of a pair sees its neighbour before and itself twice, the second itself twice and its neighbour after.
    private static Tensor Taps(Tensor weight, int which, int axis)
    {
        var (first, middle, last) = (weight.narrow(axis, 0, 1), weight.narrow(axis, 1, 1), weight.narrow(axis, 2, 1));
        return which == 0 ? cat([first, middle.Plus(last)], axis) : cat([first.Plus(middle), last], axis);
    }
}

/// <summary>Larger pictures by repeating cells.</summary>
internal static class Upsample
{
    public static Tensor Nearest(Tensor x, int factor) => Nearest(x, x.shape[2] * factor, x.shape[3] * factor);

    /// <summary>To any size: cell i of the result is cell floor(i * old / new).</summary>
    public static Tensor Nearest(Tensor x, long height, long width) =>
        nn.functional.interpolate(x, [height, width], mode: InterpolationMode.Nearest);
}

/// <summary>
/// Pictures are [batch, channels, height, width] in shape and channels last in memory: convolutions run at full speed in that order,
/// and the rows [batch, cells, channels] that linear layers want are a view of it.
/// </summary>
internal static class ChannelsLast
{
    /// <summary>The same values in channels-last memory; no copy where they lie so already.</summary>
    public static Tensor Of(Tensor x) => x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    /// <summary>[B, C, H, W] as [B, HW, C].</summary>
    public static Tensor ToRows(Tensor x) => x.permute(0, 2, 3, 1).flatten(1, 2);

    /// <summary>[B, HW, C] as [B, C, H, W].</summary>
    public static Tensor FromRows(Tensor rows, long height, long width) =>
        rows.reshape(rows.shape[0], height, width, rows.shape[2]).permute(0, 3, 1, 2);
}
