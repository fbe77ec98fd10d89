using StbImageSharp;

namespace SaeUnbox.Core.Tests;

/// <summary>A second opinion on what a file shows.</summary>
internal static class OtherDecoder
{
    public static Picture Decode(byte[] file, int channels)
    {
        var image = ImageResult.FromMemory(file, channels == 4 ? ColorComponents.RedGreenBlueAlpha : ColorComponents.RedGreenBlue);
        return new(image.Width, image.Height, channels, image.Data);
    }
}
