using System.Runtime.Intrinsics.X86;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Products of rows with a matrix, in float32 by way of oneDNN where that is faster. libtorch makes them with MKL, which keeps to 256-bit
/// vectors on processors that are not Intel's, while its convolutions are oneDNN's and use all 512: twice the rate on an EPYC with AVX-512.
/// </summary>
public static class RowProducts
{
    // Below, libtorch takes a slow convolution of its own.
    private const long LeastElements = 20_480;

    // Fewer rows do not pay for bringing the weights into oneDNN's order.
    private const long LeastRows = 64;

    private static readonly bool IsNarrow = Avx512F.IsSupported && !IsIntel();

    /// <summary>Whether libtorch makes products of this type at half the rate of its convolutions.</summary>
    public static bool AreSlow(ScalarType type) => IsNarrow && type == ScalarType.Float32;

    /// <summary>
    /// x W^T + b over the last dimension; W [out, in], b [out]. The way is told by shapes, type and processor alone, so that the same run
    /// takes the same way.
    /// </summary>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null) =>
        AreSlow(x.dtype) && weight.dtype == x.dtype && x.device_type == DeviceType.CPU && !is_grad_enabled()
        && x.numel() > LeastElements && x.numel() / x.shape[^1] >= LeastRows
            ? AsConvolution(x, weight, bias)
            : nn.functional.linear(x, weight, bias);

    // Every row is a cell of a picture one cell wide, and the matrix a 1x1 kernel.
    private static Tensor AsConvolution(Tensor x, Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var (inputs, outputs) = (weight.shape[1], weight.shape[0]);
        var cells = x.reshape(1, -1, 1, inputs).permute(0, 3, 1, 2);
        // A dilation means nothing to one cell, but has libtorch take oneDNN on one thread, too.
        var y = nn.functional.conv2d(cells, weight.reshape(outputs, inputs, 1, 1), bias, dilation: [2, 2]);
        return y.permute(0, 2, 3, 1).reshape([.. x.shape[..^1], outputs]).MoveToOuterDisposeScope();
    }

    // The vendor's name stands in ebx, edx and ecx of leaf 0.
    private static bool IsIntel() => X86Base.CpuId(0, 0) is (_, 0x756e6547, 0x6c65746e, 0x49656e69);
}
