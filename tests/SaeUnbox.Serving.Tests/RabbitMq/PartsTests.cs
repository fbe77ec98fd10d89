using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace SaeUnbox.Serving.Tests;

public sealed class PartsTests
{
    [Fact]
    public void LaneOrder_AllLanesFull_DoesNotStarveBatch()
    {
        var order = new LaneOrder();
        var taken = new List<Lane>();
        for (var i = 0; i < 90; i++)
        {
            taken.Add(order.Next()[0]);
            order.Took(taken[^1]);
        }

        Assert.Equal(10, taken.Count(lane => lane == Lane.Batch));
        Assert.Equal(80, taken.Count(lane => lane == Lane.Live));
    }

    [Fact]
    public void CanvasSlots_AnySequence_NeverRunTwoJobsAtOnce()
    {
        Prop.ForAll(Gen.Choose(0, 4).ArrayOf().ToArbitrary(), course =>
        {
            var slots = new CanvasSlots();
            var (isOut, held) = ((Guid?)null, (Guid?)null);
            foreach (var step in course)
                switch (step)
                {
                    case 0 or 1:
                        var job = Guid.NewGuid();
                        var ahead = slots.Add("c", job, out var replaced);
                        if (ahead != isOut || replaced != held)
                            return false;
                        (isOut, held) = (isOut ?? job, isOut is null ? null : job);
                        break;
                    case 2 when isOut is { } ended:
                        var next = slots.Ended("c", ended);
                        if (next != held)
                            return false;
                        (isOut, held) = (held, null);
                        break;
                    case 3 when isOut is { } old && held is { } newer:
                        slots.Superseded("c", old, newer);
                        (isOut, held) = (newer, null);
                        break;
                    case 4 when held is { } waiting:
                        slots.Remove("c", waiting);
                        held = null;
                        break;
                }
            return isOut is not { } last || slots.Ended("c", last) == held;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void ClientTurns_AnySequence_KeepTheOrderAndTheBound()
    {
        Prop.ForAll(Gen.Choose(0, 3).ArrayOf().ToArbitrary(), Gen.Choose(1, 3).ToArbitrary(), (course, most) =>
        {
            var turns = new ClientTurns();
            var (given, published, ended) = (new List<Guid>(), new List<Guid>(), new HashSet<Guid>());
            foreach (var step in course)
                switch (step)
                {
                    case 0 or 1:
                        given.Add(Guid.NewGuid());
                        if (turns.Add("c", given[^1], most))
                            published.Add(given[^1]);
                        break;
                    case 2 when published.Find(job => !ended.Contains(job)) is var done && done != default:
                        ended.Add(done);
                        published.AddRange(turns.Ended("c", done, most));
                        break;
                    case 3 when given.Find(job => !published.Contains(job)) is var held && held != default:
                        turns.Remove("c", held);
                        given.Remove(held);
                        break;
                }
            var isOut = published.Count - ended.Count;
            return isOut <= most
                && published.SequenceEqual(given.Take(published.Count))
                && turns.Count("c") == given.Count - ended.Count
                && (isOut == most || published.Count == given.Count);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Reply_OfEveryKind_ReadsBackEqual()
    {
        var id = Guid.NewGuid();
        GenerationProgress[] reports = [
            new GenerationProgress.Running(id, 2, 7),
            new GenerationProgress.Failed(id, "why"),
            new GenerationProgress.Superseded(id),
            new GenerationProgress.Cancelled(id)
        ];
        foreach (var report in reports)
            Assert.Equal(new Reply(report, "w", id), Reply.Read(new Reply(report, "w", id).ToBytes()) with { By = id });

        var maps = new ActivationMaps([new(Site.Composition, 3, 1, 2, 9, [1, 2, 3, 4], [.1f, .2f, .3f, .4f])]);
        var result =
            new GenerationResult(id, Jobs.Batch("ä").Recipe, new byte[] { 7, 8, 9 }, maps, [new("unet", TimeSpan.FromMilliseconds(3))])
            { Note = "too long" };
        var read =
            Assert.IsType<GenerationProgress.Completed>(
                Reply.Read(new Reply(new GenerationProgress.Completed(result), "w").ToBytes()).Progress).Result;

        Assert.Equal((result.Recipe, result.Timings[0]), (read.Recipe, read.Timings[0]));
        Assert.Equal(result.Picture.ToArray(), read.Picture.ToArray());
        Assert.Equal(maps.All[0].Indices, read.Maps.All[0].Indices);
        Assert.Equal(maps.All[0].Values, read.Maps.All[0].Values);
        Assert.Equal(3, read.Maps.All[0].Step);
    }

    [Fact]
    public void Reply_CutOffOrSpoiled_IsRefused()
    {
        var maps = new ActivationMaps([new(Site.Composition, 0, 1, 2, 9, [1, 2], [.1f, .2f])]);
        var whole = new Reply(
            new GenerationProgress.Completed(new(Guid.NewGuid(), Jobs.Batch("a").Recipe, new byte[] { 1, 2, 3 }, maps, [])), "w").ToBytes();
        for (var length = 0; length < whole.Length; length++)
            Assert.Throws<MessageException>(() => Reply.Read(whole.AsSpan(0, length)));

        Prop.ForAll(Gen.Choose(0, whole.Length - 1).ToArbitrary(), Gen.Choose(0, 255).ToArbitrary(), (place, value) =>
        {
            var spoiled = whole.ToArray();
            spoiled[place] = (byte)value;
            try
            {
                Reply.Read(spoiled);
            }
            catch (MessageException)
            {
                // Any other exception fails the test.
            }
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void JobMessage_OfAJob_ReadsBackEqual()
    {
        var job = Jobs.Live("a") with { Client = "me", Picture = null, Sites = [Site.Composition] };

        Assert.Equal(job, Wire.Read<JobMessage>(Wire.Write(JobMessage.Of(job, 5, "replies"))).ToJob());
        Assert.Contains(job.Recipe.ToJson(), Encoding.UTF8.GetString(Wire.Write(JobMessage.Of(job, 5, "replies"))));
    }
}
