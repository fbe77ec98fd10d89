using SixLabors.ImageSharp;
using SixLabors.ImageSharp.PixelFormats;

namespace SaeUnbox.Core.Tests;

public sealed class AnimationTests
{
    [Fact]
    public void Encode_SomePictures_ShowsEachInItsOrder()
    {
        (byte, byte, byte)[] colours = [(250, 10, 10), (10, 250, 10), (10, 10, 250)];

        var file = Animation.Encode([.. colours.Select(colour => Plain(16, 8, colour))], .12, 1.5);

        using var read = Image.Load<Rgb24>(file);
        Assert.Equal((16, 8, 3), (read.Width, read.Height, read.Frames.Count));
        for (var i = 0; i < 3; i++)
        {
            var frame = read.Frames[i];
            Assert.Equal(colours[i], (frame[7, 3].R, frame[7, 3].G, frame[7, 3].B));
            Assert.Equal(i == 2 ? 150 : 12, frame.Metadata.GetGifMetadata().FrameDelay);
        }
        Assert.Equal(0, read.Metadata.GetGifMetadata().RepeatCount);
    }

    [Fact]
    public void Encode_NoPicturesOrDifferentSizes_Throws()
    {
        Assert.Throws<ArgumentException>(() => Animation.Encode([], 1, 1));
        Assert.Throws<ArgumentException>(() => Animation.Encode([Plain(16, 8, default), Plain(8, 16, default)], 1, 1));
    }

    private static Picture Plain(int width, int height, (byte R, byte G, byte B) colour) =>
        new(width, height, 3, [.. Enumerable.Range(0, width * height).SelectMany(_ => new[] { colour.R, colour.G, colour.B })]);
}
