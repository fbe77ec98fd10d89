using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Tests.Canvases;

public sealed class RecordingTests
{
    private static readonly Recipe House = new() { Model = "mini", Prompt = "a house" };

    [Theory]
    [InlineData(1)]
    [InlineData(Recording.MostFrames)]
    [InlineData(1000)]
    public void Frames_OfManyPictures_AreSpreadEvenlyAndEndWithTheNewest(int count)
    {
        var recording = new Recording();
        for (var i = 0; i < count; i++)
            recording.Add(House with { Edits = [new(Site.Style, i, 1)] }, BitConverter.GetBytes(i));

        int[] kept = [.. recording.Frames.Select(frame => BitConverter.ToInt32(frame.Span))];
        Assert.Equal((0, count - 1), (kept[0], kept[^1]));
        Assert.InRange(kept.Length, Math.Min(count, Recording.MostFrames / 2), Recording.MostFrames + 1);
        var steps = kept.SkipLast(1).Zip(kept.Skip(1).SkipLast(1), (a, b) => b - a).Distinct();
        Assert.True(steps.Count() <= 1, string.Join(", ", kept));
    }

    [Fact]
    public void Frames_AfterAnotherPrompt_StartAgain()
    {
        var recording = new Recording();
        recording.Add(House, new byte[] { 1 });
        recording.Add(House with { Edits = [new(Site.Style, 3, 1)] }, new byte[] { 2 });
        recording.Add(House with { Prompt = "a boat" }, new byte[] { 3 });

        Assert.Equal(3, Assert.Single(recording.Frames).Span[0]);
    }

    [Fact]
    public void Frames_OfAVeryLargePicture_LeaveItOut()
    {
        var recording = new Recording();
        recording.Add(House, new byte[Recording.LargestFrame + 1]);

        Assert.Empty(recording.Frames);
    }
}
