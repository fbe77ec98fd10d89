namespace SaeUnbox.Lab;

/// <summary>A picture as atlases keep it: a small JPEG.</summary>
internal readonly record struct SmallPicture(int Width, int Height, byte[] Jpeg)
{
    private const int Quality = 82;

    /// <param name="side">The longer side in pixels, at most; a smaller picture keeps its size.</param>
    public static SmallPicture Of(Picture picture, int side)
    {
        var scale = Math.Min(1, (double)side / Math.Max(picture.Width, picture.Height));
        var (width, height) = (Math.Max(1, (int)(picture.Width * scale)), Math.Max(1, (int)(picture.Height * scale)));
        return new(width, height, Core.Jpeg.Encode(PictureScaling.Resize(picture, width, height), Quality));
    }
}
