using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Convolutions as products over gathered neighbourhoods, with weights and neighbourhoods rounded to int8.</summary>
internal static unsafe class Int8Convolution
{
    // Elements of the patches of one band: they stay in the cache, and give enough rows for a fast product.
    private const long BandElements = 4 << 20;

    /// <summary>
    /// Convolves [B, in, H, W] to [B, out, h, w], stored channels last, in the type of x. The neighbourhood of each pixel has one scale and
    /// one zero point, because activations behind silu are hardly negative. What is painted in one place changes no other.
    /// </summary>
    /// <param name="bias">[out].</param>
    /// <param name="added">Is added to the result, like it in shape and type; null for nothing.</param>
    public static Tensor Convolve(Tensor x, Int8Kernel kernel, Tensor? bias, long stride, long padding, Tensor? added = null)
    {
        using var scope = NewDisposeScope();
        var (outputs, side, channels) = (kernel.Values.shape[0], kernel.Values.shape[1], x.shape[1]);
        long Shrink(long length) => (length + 2 * padding - side) / stride + 1;
        var (batch, height, width) = (x.shape[0], Shrink(x.shape[2]), Shrink(x.shape[3]));
        var padded = nn.functional.pad(x.permute(0, 2, 3, 1), [0, 0, padding, padding, padding, padding]).contiguous();
        var matrix = kernel.Values.view(outputs, -1);
        // (q + zero) w summed is the sum of q w, and zero times that of w.
        var columns = new Int8Product.Columns(kernel.Scales, Int8Product.Wide(bias, matrix), kernel.Scales.mul(kernel.Sums));
        var (result, more) = (empty([batch, height, width, outputs], x.dtype), added?.permute(0, 2, 3, 1).contiguous());
        var step = Math.Clamp(BandElements / (width * side * side * channels), 1, height);
        for (var image = 0L; image < batch; image++)
            for (var first = 0L; first < height; first += step)
            {
                using var band = NewDisposeScope();
                var count = Math.Min(step, height - first);
                var values = empty([count * width, side * side * channels], ScalarType.Int8);
                var (scales, offsets) = (empty([count * width], ScalarType.Float32), empty([count * width], ScalarType.Float32));
                var pixels = padded.select(0, image).narrow(0, first * stride, (count - 1) * stride + side);
                Gather(pixels, side, stride, values, scales, offsets);
                Int8Product.Multiply(values, scales, matrix, columns, Band(result), more is null ? null : Band(more), offsets);

                Tensor Band(Tensor pictures) => pictures.select(0, image).narrow(0, first, count).view(-1, outputs);
            }

        return result.permute(0, 3, 1, 2).MoveToOuterDisposeScope();
    }

    /// <summary>Rounds the neighbourhoods of a band of pixels: a value is q * scale + offset, and 0 is exact.</summary>
    /// <param name="band">[H, W, C], contiguous.</param>
    /// <param name="values">[h * w, side * side * C].</param>
    private static void Gather(Tensor band, long side, long stride, Tensor values, Tensor scales, Tensor offsets)
    {
        if (band.dtype == ScalarType.Float32)
            Gather<Float32Lanes>(band, side, stride, values, scales, offsets);
        else
            Gather<BFloat16Lanes>(band, side, stride, values, scales, offsets);
    }

    private static void Gather<T>(Tensor band, long side, long stride, Tensor values, Tensor scales, Tensor offsets)
        where T : struct, ILanes
    {
        var (width, channels) = (band.shape[1], band.shape[2]);
        var (from, to) = ((nint)CpuKernel.Address(band), (nint)CpuKernel.Address(values));
        var (factors, shifts) = ((nint)CpuKernel.Address(scales), (nint)CpuKernel.Address(offsets));
        var (lows, highs) = (new float[band.shape[0] * width], new float[band.shape[0] * width]);
        CpuKernel.Rows(lows.Length, channels, (first, end) =>
        {
            for (var pixel = first; pixel < end; pixel++)
                (lows[pixel], highs[pixel]) = Int8Rows.Range<T>((void*)from, pixel * channels, (pixel + 1) * channels);
        });
        var (columns, line) = ((width - side) / stride + 1, side * channels);
        CpuKernel.Rows(values.shape[0], side * line, (first, end) =>
        {
            for (var row = first; row < end; row++)
            {
                var corner = row / columns * stride * width + row % columns * stride;
                var (low, high) = (0f, 0f);
                for (var y = 0L; y < side; y++)
                    for (var pixel = corner + y * width; pixel < corner + y * width + side; pixel++)
                        (low, high) = (Math.Min(low, lows[pixel]), Math.Max(high, highs[pixel]));
                // Two codes less than there are, because both the zero point and the values are rounded.
                var scale = (high - low) / (2 * Int8Rows.Largest - 2);
                var zero = scale > 0 ? MathF.Round((high + low) / 2 / scale) : 0;
                var inverse = scale > 0 ? 1 / scale : 0;
                ((float*)factors)[row] = scale;
                ((float*)shifts)[row] = scale * zero;
                for (var y = 0L; y < side; y++)
                {
                    var start = (corner + y * width) * channels;
                    Int8Rows.Round<T>((void*)from, (sbyte*)to + (row * side + y) * line - start, start, start + line, inverse, -zero);
                }
            }
        });
    }
}
