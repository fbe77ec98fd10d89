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
