namespace SaeUnbox.Models.Tests;

public sealed class BicubicResamplingTests
{
    [Theory]
    [InlineData(7, 5, 7, 5)]
    [InlineData(7, 5, 16, 9)]
    [InlineData(40, 30, 9, 11)]
    [InlineData(1, 1, 4, 4)]
    public void Resize_OneColour_KeepsIt(int width, int height, int newWidth, int newHeight)
    {
        byte[] colour = [0, 130, 255];
        var pixels = Enumerable.Repeat(colour, width * height).SelectMany(pixel => pixel).ToArray();
        Assert.Equal(Enumerable.Repeat(colour, newWidth * newHeight).SelectMany(pixel => pixel),
            BicubicResampling.Resize(pixels, width, height, newWidth, newHeight));
    }

    [Fact]
    public void Resize_ToTheSameSize_ChangesNothing()
    {
        var pixels = Noise(9, 6);
        Assert.Equal(pixels, BicubicResampling.Resize(pixels, 9, 6, 9, 6));
    }

    [Theory]
    [InlineData(8, 6, 16, 12)]
    [InlineData(20, 18, 7, 5)]
    [InlineData(5, 20, 10, 8)]
    public void Resize_AnyPicture_IsNearKeysFormula(int width, int height, int newWidth, int newHeight)
    {
        var pixels = Noise(width, height);
        var resized = BicubicResampling.Resize(pixels, width, height, newWidth, newHeight);
        for (var row = 0; row < newHeight; row++)
            for (var column = 0; column < newWidth; column++)
            {
                double sum = 0, total = 0;
                for (var y = 0; y < height; y++)
                    for (var x = 0; x < width; x++)
                    {
                        var weight = Weight(x, column, width, newWidth) * Weight(y, row, height, newHeight);
                        (sum, total) = (sum + (weight * pixels[((y * width) + x) * 3]), total + weight);
                    }
                Assert.InRange(resized[((row * newWidth) + column) * 3] - Math.Clamp(sum / total, 0, 255), -1.6, 1.6);
            }
    }

    private static double Weight(int at, int index, int from, int to)
    {
        var scale = (double)from / to;
        var distance = Math.Abs(at + .5 - ((index + .5) * scale)) / Math.Max(1, scale);
        return distance < 1 ? (1.5 * Math.Pow(distance, 3)) - (2.5 * distance * distance) + 1
            : distance < 2 ? (-.5 * Math.Pow(distance, 3)) + (2.5 * distance * distance) - (4 * distance) + 2 : 0;
    }

    private static byte[] Noise(int width, int height)
    {
        var pixels = new byte[width * height * 3];
        // Away from black and white, where clamping between the passes would count.
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = (byte)(90 + (i * 7919 % 76));
        return pixels;
    }
}
