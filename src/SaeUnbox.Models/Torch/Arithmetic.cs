using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Tensor arithmetic with numbers that is safe under garbage collection. TorchSharp passes the raw handle of a <see cref="Scalar"/> to native
/// code without keeping it alive. An implicit scalar, as in <c>x * 0.5</c>, <c>x.mul(0.5)</c> or <c>x + y</c> (which passes a factor of 1),
/// can therefore be freed during the call. Here every scalar lives until the call returns. Results and gradients are those of the expression
/// in the comment.
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
        public Tensor Plus(double value)
        {
            using var scalar = value.ToScalar();
            return x.add(scalar, One);
        }

        /// <summary>x - value.</summary>
        public Tensor Minus(double value)
        {
            using var scalar = value.ToScalar();
            return x.sub(scalar);
        }

        /// <summary>value - x.</summary>
        public Tensor SubtractedFrom(double value)
        {
            using var scalar = value.ToScalar();
            return x.neg().add(scalar, One);
        }

        /// <summary>x * value.</summary>
        public Tensor Times(double value)
        {
            using var scalar = value.ToScalar();
            return x.mul(scalar);
        }

        /// <summary>x * value. An integer tensor stays an integer tensor.</summary>
        public Tensor Times(long value)
        {
            using var scalar = value.ToScalar();
            return x.mul(scalar);
        }

        /// <summary>x / value.</summary>
        public Tensor Over(double value)
        {
            using var scalar = value.ToScalar();
            return x.div(scalar);
        }

        /// <summary>floor(x / value), for integers.</summary>
        public Tensor FloorOver(long value)
        {
            using var scalar = value.ToScalar();
            return x.div(scalar, RoundingMode.floor);
        }

        /// <summary>x * x.</summary>
        public Tensor Square() => x.mul(x);

        /// <summary>x += scale * y, in place.</summary>
        public Tensor Accumulate(Tensor y, double scale)
        {
            using var scalar = scale.ToScalar();
            return x.add_(y, scalar);
        }

        /// <summary>x += y, in place.</summary>
        public Tensor Accumulate(Tensor y) => x.add_(y, One);

        /// <summary>x += value, in place.</summary>
        public Tensor AddInPlace(double value)
        {
            using var scalar = value.ToScalar();
            return x.add_(scalar, One);
        }

        /// <summary>x += value, in place. Integer tensors need this overload.</summary>
        public Tensor AddInPlace(long value)
        {
            using var scalar = value.ToScalar();
            return x.add_(scalar, One);
        }

        /// <summary>x *= value, in place.</summary>
        public Tensor MultiplyInPlace(double value)
        {
            using var scalar = value.ToScalar();
            return x.mul_(scalar);
        }

        /// <summary>x /= value, in place.</summary>
        public Tensor DivideInPlace(double value)
        {
            using var scalar = value.ToScalar();
            return x.div_(scalar);
        }

        /// <summary>x += scale * a * b, in place.</summary>
        public Tensor AccumulateProduct(Tensor a, Tensor b, double scale)
        {
            using var scalar = scale.ToScalar();
            return x.addcmul_(a, b, scalar);
        }

        /// <summary>x += scale * a / b, in place.</summary>
        public Tensor AccumulateQuotient(Tensor a, Tensor b, double scale)
        {
            using var scalar = scale.ToScalar();
            return x.addcdiv_(a, b, scalar);
        }

        /// <summary>Adds slices of <paramref name="source"/> along <paramref name="dim"/> to the slices of x at <paramref name="index"/>, in place.</summary>
        public Tensor AccumulateAt(long dim, Tensor index, Tensor source) => x.index_add_(dim, index, source, One);

        /// <summary>Sets every element to <paramref name="value"/>, in place.</summary>
        public Tensor Fill(double value)
        {
            using var scalar = value.ToScalar();
            return x.fill_(scalar);
        }

        /// <summary>max(x, least).</summary>
        public Tensor AtLeast(double least)
        {
            using var scalar = least.ToScalar();
            return x.clamp_min(scalar);
        }

        /// <summary>min(max(x, least), most).</summary>
        public Tensor Between(double least, double most)
        {
            using Scalar low = least.ToScalar(), high = most.ToScalar();
            return x.clamp(low, high);
        }

        /// <summary>x &gt; value, element by element.</summary>
        public Tensor IsAbove(double value)
        {
            using var scalar = value.ToScalar();
            return x.gt(scalar);
        }

        /// <summary>x &lt; value, element by element.</summary>
        public Tensor IsBelow(double value)
        {
            using var scalar = value.ToScalar();
            return x.lt(scalar);
        }

        /// <summary>x == value, element by element, for integers.</summary>
        public Tensor Is(long value)
        {
            using var scalar = value.ToScalar();
            return x.eq(scalar);
        }
    }

    /// <summary>The numbers from <paramref name="start"/> to <paramref name="stop"/>, exclusive.</summary>
    public static Tensor Range(long start, long stop, ScalarType dtype, Device? device = null)
    {
        using Scalar first = start.ToScalar(), end = stop.ToScalar();
        return arange(first, end, One, dtype, device);
    }

    /// <summary>A tensor with all elements equal to <paramref name="value"/>.</summary>
    public static Tensor Full(long[] size, double value, ScalarType dtype, Device? device = null)
    {
        using var scalar = value.ToScalar();
        return full(size, scalar, dtype, device);
    }
}
