using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Gif;

namespace SaeUnbox.Core;

/// <summary>Pictures that follow each other, as an animated GIF.</summary>
public static class Animation
{
    private const int HundredthsPerSecond = 100;

    /// <summary>Writes a GIF that plays again and again.</summary>
    /// <param name="frames">At least one picture; all of one size. Alpha is dropped.</param>
    /// <param name="seconds">How long each picture is shown.</param>
    /// <param name="lastSeconds">How long the last one is shown.</param>
    public static byte[] Encode(IReadOnlyList<Picture> frames, double seconds, double lastSeconds)
    {
        if (frames.Count == 0 || frames.Any(frame => (frame.Width, frame.Height) != (frames[0].Width, frames[0].Height)))
            throw new ArgumentException("An animation needs at least one picture, and all of one size.", nameof(frames));
        using var animation = Codec.Image(frames[0]);
        foreach (var frame in frames.Skip(1))
        {
            using var next = Codec.Image(frame);
            animation.Frames.AddFrame(next.Frames.RootFrame);
        }
        for (var i = 0; i < animation.Frames.Count; i++)
            animation.Frames[i].Metadata.GetGifMetadata().FrameDelay =
                (int)Math.Round(HundredthsPerSecond * (i == animation.Frames.Count - 1 ? lastSeconds : seconds));
        animation.Metadata.GetGifMetadata().RepeatCount = 0;
        using var file = new MemoryStream();
        animation.Save(file, new GifEncoder { ColorTableMode = GifColorTableMode.Local });
        return file.ToArray();
    }
}
