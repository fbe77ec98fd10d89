using System.Runtime.Intrinsics.X86;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Products of rows with a matrix. libtorch computes them with MKL, which uses only 256-bit vectors on processors other than Intel's, but
/// its convolutions with oneDNN, which uses 512 bits. In float32, products therefore run as convolutions if that is faster: twice as fast
/// on an EPYC with AVX-512.
/// </summary>
public static class RowProducts
{
    // For smaller inputs libtorch uses its own slow convolution instead of oneDNN.
    private const long MinElements = 20_480;

    // With fewer rows, reordering the weights for oneDNN costs more than it saves.
    private const long MinRows = 64;

    private static readonly bool IsNarrow = Avx512F.IsSupported && !IsIntel();

    /// <summary>Whether products of this type run at half the speed of convolutions.</summary>
    public static bool AreSlow(ScalarType type) => IsNarrow && type == ScalarType.Float32;

    /// <summary>
    /// x W^T + b over the last dimension; W [out, in], b [out]. Only shapes, type and processor decide how it is computed, so that equal
    /// runs give equal results.
    /// </summary>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null) =>
        AreSlow(x.dtype) && weight.dtype == x.dtype && x.device_type == DeviceType.CPU && !is_grad_enabled()
        && x.numel() > MinElements && x.numel() / x.shape[^1] >= MinRows
            ? AsConvolution(x, weight, bias)
            : nn.functional.linear(x, weight, bias);

    // Treats each row as a pixel of a picture one pixel wide, and the matrix as a 1x1 kernel.
    private static Tensor AsConvolution(Tensor x, Tensor weight, Tensor? bias)
    {
        using var scope = NewDisposeScope();
        var (inputs, outputs) = (weight.shape[1], weight.shape[0]);
        var cells = x.reshape(1, -1, 1, inputs).permute(0, 3, 1, 2);
        // Dilation has no effect on a 1x1 kernel, but makes libtorch use oneDNN also on one thread.
        var y = nn.functional.conv2d(cells, weight.reshape(outputs, inputs, 1, 1), bias, dilation: [2, 2]);
        return y.permute(0, 2, 3, 1).reshape([.. x.shape[..^1], outputs]).MoveToOuterDisposeScope();
    }

    // Leaf 0 returns the vendor's name in ebx, edx and ecx.
    private static bool IsIntel() => X86Base.CpuId(0, 0) is (_, 0x756e6547, 0x6c65746e, 0x49656e69);
}
