namespace SaeUnbox.Core;

/// <summary>Parts of pictures, made smaller.</summary>
public static class PictureScaling
{
    /// <summary>A part of a picture as RGB in another size: each pixel is the mean of what it covers.</summary>
    public static Picture Resize(Picture picture, int left, int top, int width, int height, int newWidth, int newHeight)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(left);
        ArgumentOutOfRangeException.ThrowIfNegative(top);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(left + width, picture.Width);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(top + height, picture.Height);
        var pixels = new byte[newWidth * newHeight * 3];
        for (var row = 0; row < newHeight; row++)
        {
            var (first, last) = Span(row, height, newHeight);
            for (var column = 0; column < newWidth; column++)
            {
                var (start, end) = Span(column, width, newWidth);
                int red = 0, green = 0, blue = 0;
                for (var y = first; y < last; y++)
                    for (var x = start; x < end; x++)
                    {
                        var at = ((top + y) * picture.Width + left + x) * picture.Channels;
                        red += picture.Pixels[at];
                        green += picture.Pixels[at + 1];
                        blue += picture.Pixels[at + 2];
                    }
                var count = (last - first) * (end - start);
                var to = (row * newWidth + column) * 3;
                (pixels[to], pixels[to + 1], pixels[to + 2]) = (Mean(red), Mean(green), Mean(blue));

                byte Mean(int sum) => (byte)((sum + count / 2) / count);
            }
        }
        return new Picture(newWidth, newHeight, 3, pixels);
    }

    public static Picture Resize(Picture picture, int newWidth, int newHeight) => Resize(picture, 0, 0, picture.Width, picture.Height, newWidth, newHeight);

    private static (int First, int Last) Span(int index, int from, int to)
    {
        var first = (int)((long)index * from / to);
        return (first, Math.Max(first + 1, (int)((long)(index + 1) * from / to)));
    }
}
