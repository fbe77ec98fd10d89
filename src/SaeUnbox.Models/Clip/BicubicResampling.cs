namespace SaeUnbox.Models;

/// <summary>
/// Pictures of other sizes as Pillow makes them with its bicubic filter: the kernel (Keys 1981, a = -1/2) widens as a picture shrinks,
/// columns before rows, each pass rounded to bytes.
/// </summary>
internal static class BicubicResampling
{
    private const double A = -.5, Support = 2;

    /// <param name="pixels">height x width x 3 bytes.</param>
    public static byte[] Resize(ReadOnlySpan<byte> pixels, int width, int height, int newWidth, int newHeight)
    {
        var narrow = new byte[newWidth * height * 3];
        for (var column = 0; column < newWidth; column++)
        {
            var (first, weights) = Weights(column, width, newWidth);
            for (var row = 0; row < height; row++)
                for (var channel = 0; channel < 3; channel++)
                    narrow[((row * newWidth) + column) * 3 + channel] = Sum(pixels, weights, ((row * width) + first) * 3 + channel, 3);
        }

        var result = new byte[newWidth * newHeight * 3];
        for (var row = 0; row < newHeight; row++)
        {
            var (first, weights) = Weights(row, height, newHeight);
            for (var value = 0; value < newWidth * 3; value++)
                result[(row * newWidth * 3) + value] = Sum(narrow, weights, (first * newWidth * 3) + value, newWidth * 3);
        }
        return result;
    }

    // The pixels that one new pixel is made of, which sum to 1: at an edge there are fewer.
    private static (int First, double[] Weights) Weights(int index, int from, int to)
    {
        var scale = (double)from / to;
        var wide = Math.Max(scale, 1);
        var centre = (index + .5) * scale;
        var first = Math.Max(0, (int)(centre - (Support * wide) + .5));
        var last = Math.Min(from, (int)(centre + (Support * wide) + .5));
        var weights = Enumerable.Range(first, last - first).Select(at => Kernel((at - centre + .5) / wide)).ToArray();
        var sum = weights.Sum();
        return (first, Array.ConvertAll(weights, weight => weight / sum));
    }

    private static double Kernel(double x) => Math.Abs(x) switch
    {
        < 1 and var near => ((((A + 2) * near) - (A + 3)) * near * near) + 1,
        < 2 and var far => ((((far - 5) * far) + 8) * far - 4) * A,
        _ => 0,
    };

    private static byte Sum(ReadOnlySpan<byte> values, double[] weights, int start, int stride)
    {
        var sum = .5;
        for (var i = 0; i < weights.Length; i++) sum += weights[i] * values[start + (i * stride)];
        return (byte)Math.Clamp((int)Math.Floor(sum), 0, 255);
    }
}
