namespace SaeUnbox.Web.Sharing;

/// <summary>The preview card of a shared recipe: the picture before and after painting, side by side.</summary>
internal static class SharedCard
{
    public const int Width = 1200, Height = 630;
    private const int Gap = 12, Quality = 88;
    private static readonly byte[] Ground = [14, 15, 17];

    /// <param name="before">The picture without edits; null if there are none.</param>
    /// <param name="after">The picture.</param>
    /// <returns>A JPEG.</returns>
    public static byte[] Make(Picture? before, Picture after)
    {
        var pixels = new byte[Width * Height * 3];
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = Ground[i % 3];
        var room = before is null ? Width : (Width - Gap) / 2;
        if (before is not null)
            Put(pixels, before, 0, room);
        Put(pixels, after, Width - room, room);
        return Jpeg.Encode(new Picture(Width, Height, 3, pixels), Quality);
    }

    // Centres the picture, as large as fits, between left and left + room. Pixels in between are interpolated.
    private static void Put(byte[] pixels, Picture picture, int left, int room)
    {
        var scale = Math.Min((double)room / picture.Width, (double)Height / picture.Height);
        var (width, height) = ((int)(picture.Width * scale), (int)(picture.Height * scale));
        var (x0, y0) = (left + (room - width) / 2, (Height - height) / 2);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
                for (var channel = 0; channel < 3; channel++)
                    pixels[((y0 + y) * Width + x0 + x) * 3 + channel] =
                        Sample(picture, (x + .5) / scale - .5, (y + .5) / scale - .5, channel);
    }

    private static byte Sample(Picture picture, double x, double y, int channel)
    {
        var (left, right, across) = Neighbours(x, picture.Width);
        var (top, bottom, down) = Neighbours(y, picture.Height);
        var above = At(left, top) * (1 - across) + At(right, top) * across;
        var below = At(left, bottom) * (1 - across) + At(right, bottom) * across;
        return (byte)Math.Round(above * (1 - down) + below * down);

        double At(int column, int row) => picture.Pixels[(row * picture.Width + column) * picture.Channels + channel];
    }

    private static (int First, int Second, double Share) Neighbours(double place, int count)
    {
        var inside = Math.Clamp(place, 0, count - 1);
        var first = (int)inside;
        return (first, Math.Min(first + 1, count - 1), inside - first);
    }
}
