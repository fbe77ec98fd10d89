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
        Prop.ForAll(Gen.Choose(0, 3).ArrayOf().ToArbitrary(), Gen.Choose(1, 3).ToArbitrary(), (course, workers) =>
        {
            var turns = new ClientTurns(_ => workers, new Clock());
            var (given, published, ended) = (new List<GenerationJob>(), new List<GenerationJob>(), new HashSet<GenerationJob>());
            foreach (var step in course)
            {
                switch (step)
                {
                    case 0 or 1:
                        given.Add(Jobs.Live("a") with { Client = "c" });
                        turns.Add(given[^1]);
                        break;
                    case 2 when published.Find(job => !ended.Contains(job)) is { } done:
                        ended.Add(done);
                        turns.Ended(done);
                        break;
                    case 3 when given.Find(job => !published.Contains(job)) is { } held:
                        turns.Remove(held);
                        given.Remove(held);
                        break;
                }
                published.AddRange(turns.Next());
            }
            // A client alone has one job more in the broker than there are workers.
            var isOut = published.Count - ended.Count;
            return isOut <= workers + 1
                && published.SequenceEqual(given.Take(published.Count))
                && turns.Work(Jobs.Live("a") with { Client = "c" }) == given.Count - ended.Count
                && (isOut == workers + 1 || published.Count == given.Count);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void ClientTurns_SmallBesideLarge_ShareTheWorkAndNeverLeaveAWorkerIdle()
    {
        Prop.ForAll(Gen.Choose(1, 3).ToArbitrary(), Gen.Choose(2, 16).ToArbitrary(), (workers, cost) =>
        {
            var turns = new ClientTurns(_ => workers, new Clock());
            var (waiting, running) = (new Queue<GenerationJob>(), new List<(GenerationJob Job, int Left)>());
            var done = new Dictionary<string, double> { ["large"] = 0, ["small"] = 0 };
            for (var i = 0; i < 20 * cost; i++)
            {
                turns.Add(Jobs.Live("a") with { Client = "large", Cost = cost });
                turns.Add(Jobs.Live("a") with { Client = "small" });
            }
            for (var time = 0; time < 10 * cost; time++)
            {
                foreach (var job in turns.Next())
                    waiting.Enqueue(job);
                while (running.Count < workers && waiting.TryDequeue(out var next))
                    running.Add((next, (int)next.Cost));
                if (running.Count < workers)
                    return false;
                running = [.. running.Select(one => one with { Left = one.Left - 1 })];
                foreach (var (job, _) in running.Where(one => one.Left == 0))
                {
                    done[job.Turn] += job.Cost;
                    turns.Ended(job);
                }
                running.RemoveAll(one => one.Left == 0);
            }
            // Apart by no more than what the workers have at once.
            return Math.Abs(done["large"] - done["small"]) <= 2 * workers * cost + 2;
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void ClientTurns_JobReplacedByALargerOfAnother_ChargesThatOneAndLeavesNothing()
    {
        var turns = new ClientTurns(_ => 1, new Clock());
        var (first, other) = (Jobs.Live("a", "shared") with { Client = "one" }, Jobs.Live("a") with { Client = "other" });
        turns.Add(first);
        turns.Add(other);
        Assert.Equal([first, other], turns.Next());

        var larger = Jobs.Live("a", "shared") with { Client = "two", Cost = 8 };
        turns.Replace(first, larger);
        var (more, least) = (Jobs.Live("a") with { Client = "two" }, Jobs.Live("a") with { Client = "other" });
        turns.Add(more);
        turns.Add(least);
        turns.Ended(larger);
        Assert.Empty(turns.Next());
        turns.Ended(other);
        Assert.Equal([least], turns.Next());
        turns.Ended(least);
        Assert.Equal([more], turns.Next());
        turns.Ended(more);
        Assert.All([first, other, larger], job => Assert.Equal(0, turns.Work(job)));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void ClientTurns_LiveAndBatchOfOneClient_StandBeforeThoseOfOthersOnlyWhereThereIsOneWorker(int workers)
    {
        const int enough = 100;
        var turns = new ClientTurns(_ => workers, new Clock());
        var (live, batch, running) = (new Queue<GenerationJob>(), new Queue<GenerationJob>(), new Queue<GenerationJob>());
        var (done, taken) = (new List<GenerationJob>(), 0);
        for (var i = 0; i < enough; i++)
        {
            turns.Add(Jobs.Live("a") with { Client = "greedy" });
            turns.Add(Jobs.Batch("a") with { Client = "greedy" });
        }
        turns.Add(Jobs.Live("a") with { Client = "modest" });
        while (done.Count < enough)
        {
            foreach (var job in turns.Next())
            {
                if (job.Turn == "modest" && done.Count > workers)
                    Assert.InRange(live.Count, 0, workers == 1 ? 1 : 0);
                (job.Canvas is null ? batch : live).Enqueue(job);
            }
            Take();
            Assert.Equal(workers, running.Count);
            done.Add(running.Dequeue());
            Take(); // before the node hears of the end
            turns.Ended(done[^1]);
            if (done[^1].Turn == "modest")
                turns.Add(Jobs.Live("a") with { Client = "modest" });
        }
        // Nothing is left behind.
        var kinds = done.CountBy(job => (job.Turn, IsBatch: job.Canvas is null)).ToList();
        Assert.Equal(3, kinds.Count);
        Assert.All(kinds, kind => Assert.InRange(kind.Value, 10, enough));

        // A worker takes a batch job where it sees no live one, or has done many live ones: here every second time.
        void Take()
        {
            while (running.Count < workers)
            {
                var (first, second) = ++taken % 2 == 0 ? (batch, live) : (live, batch);
                if (!first.TryDequeue(out var job) && !second.TryDequeue(out job))
                    return;
                running.Enqueue(job);
            }
        }
    }

    [Fact]
    public void ClientTurns_ClientBesideOneThatPaintedJustNow_HasNoSpareJob()
    {
        var clock = new Clock();
        var turns = new ClientTurns(_ => 1, clock);
        var stroke = Jobs.Live("a") with { Client = "modest" };
        turns.Add(stroke);
        Assert.Equal([stroke], turns.Next());
        turns.Ended(stroke);

        GenerationJob[] greedy = [.. Enumerable.Range(0, 3).Select(_ => Jobs.Live("a") with { Client = "greedy" })];
        foreach (var job in greedy)
            turns.Add(job);
        Assert.Equal([greedy[0]], turns.Next());
        clock.Now = 10;
        Assert.Equal([greedy[1]], turns.Next());
        Assert.Empty(turns.Next());
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

    private sealed class Clock : TimeProvider
    {
        public long Now { get; set; }

        public override long TimestampFrequency => 1;

        public override long GetTimestamp() => Now;
    }
}
