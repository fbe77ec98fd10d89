using System.Runtime.Intrinsics.X86;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Tensor arithmetic with numbers that is safe under garbage collection. TorchSharp passes the raw handle of a <see cref="Scalar"/> to
/// native code without keeping it alive. An implicit scalar, as in <c>x * 0.5</c>, <c>x.mul(0.5)</c> or <c>x + y</c> (which passes a factor
/// of 1), can therefore be freed during the call. Here every scalar lives until the call returns. Results and gradients are those of the
/// expression in the comment.
/// </summary>
public static class Arithmetic
{
    // Never disposed or collected.
    private static readonly Scalar One = 1L.ToScalar();

    extension(Tensor x)
    {
        /// <summary>x + y.</summary>
        public Tensor Plus(Tensor y) => x.add(y, One);

        /// <summary>x + value.</summary>
        public Tensor Plus(double value) => With(value.ToScalar(), scalar => x.add(scalar, One));

        /// <summary>x - value.</summary>
        public Tensor Minus(double value) => With(value.ToScalar(), x.sub);

        /// <summary>value - x.</summary>
        public Tensor SubtractedFrom(double value) => With(value.ToScalar(), scalar => x.neg().add(scalar, One));

        /// <summary>x * value.</summary>
        public Tensor Times(double value) => With(value.ToScalar(), x.mul);

        /// <summary>x * value. An integer tensor stays an integer tensor.</summary>
        public Tensor Times(long value) => With(value.ToScalar(), x.mul);

        /// <summary>x / value.</summary>
        public Tensor Over(double value) => With(value.ToScalar(), scalar => x.div(scalar));

        /// <summary>floor(x / value), for integers.</summary>
        public Tensor FloorOver(long value) => With(value.ToScalar(), scalar => x.div(scalar, RoundingMode.floor));

        /// <summary>x * x.</summary>
        public Tensor Square() => x.mul(x);

        /// <summary>x += scale * y, in place.</summary>
        public Tensor Accumulate(Tensor y, double scale) => With(scale.ToScalar(), scalar => x.add_(y, scalar));

        /// <summary>x += y, in place.</summary>
        public Tensor Accumulate(Tensor y) => x.add_(y, One);

        /// <summary>x += value, in place.</summary>
        public Tensor AddInPlace(double value) => With(value.ToScalar(), scalar => x.add_(scalar, One));

        /// <summary>x += value, in place. Integer tensors need this overload.</summary>
        public Tensor AddInPlace(long value) => With(value.ToScalar(), scalar => x.add_(scalar, One));

        /// <summary>x *= value, in place.</summary>
        public Tensor MultiplyInPlace(double value) => With(value.ToScalar(), x.mul_);

        /// <summary>x /= value, in place.</summary>
        public Tensor DivideInPlace(double value) => With(value.ToScalar(), scalar => x.div_(scalar));

        /// <summary>x += scale * a * b, in place.</summary>
        public Tensor AccumulateProduct(Tensor a, Tensor b, double scale) => With(scale.ToScalar(), scalar => x.addcmul_(a, b, scalar));

        /// <summary>x += scale * a / b, in place.</summary>
        public Tensor AccumulateQuotient(Tensor a, Tensor b, double scale) => With(scale.ToScalar(), scalar => x.addcdiv_(a, b, scalar));

        /// <summary>
        /// Adds the slices of <paramref name="source"/> along the first dimension to those of x at <paramref name="index"/>, in place.
        /// </summary>
        public Tensor AccumulateAt(Tensor index, Tensor source) => x.index_add_(0, index, source, One);

        /// <summary>Sets every element to <paramref name="value"/>, in place.</summary>
        public Tensor Fill(double value) => With(value.ToScalar(), x.fill_);

        /// <summary>max(x, low).</summary>
        public Tensor AtLeast(double low) => With(low.ToScalar(), x.clamp_min);

        /// <summary>min(max(x, low), high).</summary>
        public Tensor Between(double low, double high)
        {
            using Scalar min = low.ToScalar(), max = high.ToScalar();
            return x.clamp(min, max);
        }

        /// <summary>x &gt; value, element by element.</summary>
        public Tensor IsAbove(double value) => With(value.ToScalar(), x.gt);

        /// <summary>x &lt; value, element by element.</summary>
        public Tensor IsBelow(double value) => With(value.ToScalar(), x.lt);

        /// <summary>x == value, element by element, for integers.</summary>
        public Tensor Is(long value) => With(value.ToScalar(), x.eq);
    }

    /// <summary>The numbers from <paramref name="start"/> to <paramref name="stop"/>, exclusive.</summary>
    public static Tensor Range(long start, long stop, ScalarType dtype, Device? device = null)
    {
        using Scalar first = start.ToScalar(), end = stop.ToScalar();
        return arange(first, end, One, dtype, device);
    }

    /// <summary>A tensor with all elements equal to <paramref name="value"/>.</summary>
    public static Tensor Full(long[] size, double value, ScalarType dtype, Device? device = null) =>
        With(value.ToScalar(), scalar => full(size, scalar, dtype, device));

    private static Tensor With(Scalar scalar, Func<Scalar, Tensor> operation)
    {
        using (scalar)
            return operation(scalar);
    }
}

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
