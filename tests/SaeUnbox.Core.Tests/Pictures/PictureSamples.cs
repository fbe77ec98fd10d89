namespace SaeUnbox.Core.Tests;

internal static class PictureSamples
{
    public static Picture Noise(int width, int height, int channels)
    {
        var pixels = new byte[width * height * channels];
        new Random(width).NextBytes(pixels);
        return new(width, height, channels, pixels);
    }

    public static Picture Smooth(int width, int height, int channels)
    {
        var pixels = new byte[width * height * channels];
        for (var i = 0; i < pixels.Length; i++)
        {
            int pixel = i / channels, x = pixel % width, y = pixel / width;
            pixels[i] = (byte)((x * 5) + (y * 3) + (i % channels * 40));
        }

        return new(width, height, channels, pixels);
    }

    public static Picture Ramp(int width, int height, int channels)
    {
        var pixels = new byte[width * height * channels];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(i % channels == 3 ? 0 : 60 + (i / channels % width * 3) + (i / channels / width * 2));
        return new(width, height, channels, pixels);
    }

    public static double MeanDifference(ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var sum = 0.0;
        for (var i = 0; i < expected.Length; i++)
            sum += Math.Abs(expected[i] - actual[i]);
        return sum / expected.Length;
    }

    public static void AssertSame(Picture expected, Picture actual)
    {
        Assert.Equal((expected.Width, expected.Height, expected.Channels), (actual.Width, actual.Height, actual.Channels));
        Assert.Equal(expected.Pixels.ToArray(), actual.Pixels.ToArray());
    }
}
