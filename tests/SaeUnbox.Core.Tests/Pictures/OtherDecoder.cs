using StbImageSharp;

namespace SaeUnbox.Core.Tests;

/// <summary>An independent decoder to compare with.</summary>
internal static class OtherDecoder
{
    public static Picture Decode(byte[] file, int channels)
    {
        var image = ImageResult.FromMemory(file, channels == 4 ? ColorComponents.RedGreenBlueAlpha : ColorComponents.RedGreenBlue);
        return new(image.Width, image.Height, channels, image.Data);
    }
}
