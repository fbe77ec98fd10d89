using System.Text.Json;

namespace SaeUnbox.Models;

/// <summary>
/// The preprocessing in preprocessor_config.json: resizes an image, crops its centre to a square and normalises each channel.
/// </summary>
/// <param name="ShortSide">Length in pixels of the shorter side after resizing.</param>
/// <param name="Side">Side in pixels of the cropped square.</param>
/// <param name="Mean">Means of red, green and blue, where white is 1.</param>
/// <param name="Deviation">Standard deviations of red, green and blue.</param>
internal sealed record ClipImagePreparation(int ShortSide, int Side, IReadOnlyList<double> Mean, IReadOnlyList<double> Deviation)
{
    private const int Bicubic = 3;

    /// <summary>Reads a configuration. Missing keys get the values of the published models.</summary>
    /// <exception cref="ModelException">A value is malformed, not supported, or does not match the vision tower.</exception>
    public static ClipImagePreparation From(JsonConfig json, ClipVisionConfig vision)
    {
        foreach (var step in (string[])["do_resize", "do_center_crop", "do_normalize"])
            if (!json.Flag(step, true))
                throw json.Wrong(step, "true, because nothing else is supported");
        if (json.Integer("resample", Bicubic) != Bicubic)
            throw json.Wrong("resample", $"{Bicubic} (bicubic)");
        var (shortSide, side) = (ReadSide(json, "size", "shortest_edge"), ReadSide(json, "crop_size", "height"));
        if (side != vision.ImageSize)
            throw json.Wrong("crop_size", $"image_size {vision.ImageSize} of the vision tower, but is {side}");
        if (shortSide < side)
            throw json.Wrong("size", $"at least crop_size {side}, but is {shortSide}");
        var mean = ReadChannels(json, "image_mean", [.48145466, .4578275, .40821073]);
        var deviation = ReadChannels(json, "image_std", [.26862954, .26130258, .27577711]);
        return deviation.All(value => value > 0)
            ? new(shortSide, side, mean, deviation)
            : throw json.Wrong("image_std", "three numbers above 0");
    }

    /// <summary>Preprocesses one image to [3, side, side], row by row.</summary>
    /// <param name="pixels">height * width * 3 bytes.</param>
    public float[] Prepare(ReadOnlySpan<byte> pixels, int width, int height)
    {
        var (newWidth, newHeight) = width <= height
            ? (ShortSide, (int)((long)ShortSide * height / width))
            : ((int)((long)ShortSide * width / height), ShortSide);
        var resized = BicubicResampling.Resize(pixels, width, height, newWidth, newHeight);
        var (left, top) = ((newWidth - Side) / 2, (newHeight - Side) / 2);
        var values = new float[3 * Side * Side];
        for (var channel = 0; channel < 3; channel++)
            for (var row = 0; row < Side; row++)
                for (var column = 0; column < Side; column++)
                {
                    var value = resized[((((top + row) * newWidth) + left + column) * 3) + channel] / 255.0;
                    values[(((channel * Side) + row) * Side) + column] = (float)((value - Mean[channel]) / Deviation[channel]);
                }
        return values;
    }

    // Old files contain a number, newer ones an object.
    private static int ReadSide(JsonConfig json, string key, string inner) =>
        json.Find(key) is { ValueKind: JsonValueKind.Object } ? json.Part(key).Count(inner) : json.Count(key, 224);

    private static IReadOnlyList<double> ReadChannels(JsonConfig json, string key, double[] fallback) =>
        json.Numbers(key, fallback) is { Count: 3 } values ? values : throw json.Wrong(key, "three numbers");
}

/// <summary>
/// Resizes images like the bicubic filter of Pillow: the kernel (Keys 1981, a = -1/2) widens if the image shrinks; first the width changes,
/// then the height; each pass rounds to bytes.
/// </summary>
internal static class BicubicResampling
{
    private const double A = -.5, Support = 2;

    /// <param name="pixels">height * width * 3 bytes.</param>
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

    // The weights, of sum 1, of the old pixels that make one new pixel. At an edge there are fewer.
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
        for (var i = 0; i < weights.Length; i++)
            sum += weights[i] * values[start + (i * stride)];
        return (byte)Math.Clamp((int)Math.Floor(sum), 0, 255);
    }
}
