using FsCheck;
using FsCheck.Fluent;

namespace SaeUnbox.Serving.Tests.InProcess;

public sealed class JobBoardTests
{
    private static readonly Recipe Any = new() { Model = "m", Prompt = "" };

    [Fact]
    public void Add_NewerJobOfTheCanvas_ReplacesTheOlder()
    {
        var board = new JobBoard();
        var (first, other, second) = (Live("a"), Live("b"), Live("a"));

        Assert.Null(board.Add(first));
        Assert.Null(board.Add(other));

        Assert.Same(first, board.ReplacedBy(second));
        Assert.Same(first, board.Add(second));
        Assert.Equal([second, other], board.Waiting());
    }

    [Fact]
    public void Take_CanvasAlreadyRunning_SkipsItsNext()
    {
        var board = new JobBoard();
        var (first, second) = (Live("a"), Live("a"));
        board.Add(first);
        Assert.Same(first, board.Take(_ => true));
        board.Add(second);

        Assert.Null(board.Take(_ => true));
        board.Ended(first);

        Assert.Same(second, board.Take(_ => true));
    }

    [Fact]
    public void Take_BatchJobs_ComeInTurnsBetweenClients()
    {
        var board = new JobBoard();
        foreach (var client in "aaab")
            board.Add(Batch($"{client}"));

        Assert.Equal(["a", "b", "a", "a"], Enumerable.Range(0, 4).Select(_ => board.Take(_ => true)!.Client));
    }

    // One client paints on 32 canvases at once, another on one. Each job is followed by the next of its canvas.
    [Fact]
    public void Take_ClientWithManyCanvases_GetsNoMoreThanOneWithOne()
    {
        var board = new JobBoard();
        for (var canvas = 0; canvas < 32; canvas++)
            board.Add(Live($"greedy {canvas}", "greedy"));
        board.Add(Live("modest", "modest"));

        var turns = Turns(board, 40);

        Assert.Equal(20, turns.Count(job => job.Client == "modest"));
        Assert.Equal(20, turns.Where(job => job.Client == "greedy").Select(job => job.Canvas).Distinct().Count());
    }

    [Fact]
    public void Take_ClientWithLargeJobs_GetsNoMoreWorkThanOneWithSmallOnes()
    {
        var board = new JobBoard();
        board.Add(Live("large", "a") with { Cost = 8 });
        board.Add(Live("small", "b"));

        var turns = Turns(board, 90);

        Assert.InRange(turns.Sum(job => job.Client == "a" ? job.Cost : 0) / turns.Sum(job => job.Cost), .45, .55);
    }

    [Fact]
    public void Take_ClientBackFromAPause_HasSavedNoTurns()
    {
        var board = new JobBoard();
        board.Add(Live("a", "a"));
        board.Add(Live("b", "b"));
        Turns(board, 2);
        board.Remove(board.Waiting().First(job => job.Client == "b"));
        Turns(board, 50);
        board.Add(Live("b", "b"));

        Assert.Equal(5, Turns(board, 10).Count(job => job.Client == "b"));
    }

    // Whatever the costs, two clients that always wait differ by less than one job.
    [Fact]
    public void Take_AnyCosts_GivesClientsTheSameWork() => Prop.ForAll(
        Gen.Choose(1, 9).ListOf().Where(costs => costs.Count > 0).Two().ToArbitrary(), costs =>
        {
            var board = new JobBoard();
            var (mine, theirs) = (new Queue<int>(costs.Item1), new Queue<int>(costs.Item2));
            foreach (var (client, line) in new[] { ("a", mine), ("b", theirs) })
                foreach (var cost in line)
                    board.Add(Batch(client) with { Cost = cost });
            var given = new Dictionary<string, double> { ["a"] = 0, ["b"] = 0 };
            while (board.Take(_ => true) is { } job)
            {
                given[job.Client!] += job.Cost;
                (job.Client == "a" ? mine : theirs).Dequeue();
                if (mine.Count > 0 && theirs.Count > 0 && Math.Abs(given["a"] - given["b"]) > 9)
                    return false;
            }
            return true;
        }).QuickCheckThrowOnFailure();

    // Takes jobs one at a time; the canvas of each submits its next while it runs.
    private static List<GenerationJob> Turns(JobBoard board, int count)
    {
        var turns = new List<GenerationJob>();
        for (var turn = 0; turn < count; turn++)
        {
            var job = board.Take(_ => true)!;
            board.Add(job with { Id = Guid.NewGuid() });
            board.Ended(job);
            turns.Add(job);
        }
        return turns;
    }

    [Fact]
    public void Take_BatchBesideManyStrokes_IsNotStarved()
    {
        var board = new JobBoard();
        var batch = Batch("x");
        board.Add(batch);
        for (var turn = 0; turn < 20; turn++)
        {
            board.Add(Live($"{turn % 3}"));
            var job = board.Take(_ => true)!;
            if (job == batch)
                return;
            board.Ended(job);
        }
        Assert.Fail("twenty live jobs went before it");
    }

    [Fact]
    public void Take_ModelNotLoaded_IsLeftToOthers()
    {
        var board = new JobBoard();
        board.Add(Live("a"));

        Assert.Null(board.Take(_ => false));
        Assert.Equal(1, board.Count);
    }

    [Fact]
    public void Remove_AnyWaitingJob_RemovesOnlyIt()
    {
        var board = new JobBoard();
        var jobs = new[] { Live("a"), Live("b"), Batch("x"), Batch("x"), Batch("y") };
        foreach (var job in jobs)
            board.Add(job);
        foreach (var (i, job) in jobs.Index())
        {
            Assert.True(board.Remove(job));
            Assert.False(board.Remove(job));
            Assert.Equal(jobs.Skip(i + 1).ToHashSet(), board.Waiting().ToHashSet());
        }
    }

    // In any order of arrival, every job is taken or replaced exactly once, and each canvas gets one turn.
    [Fact]
    public void Take_AnyOrderOfArrival_ServesEachCanvasInTurn() => Prop.ForAll(
        Gen.Choose(-1, 5).ListOf().ToArbitrary(), arrivals =>
        {
            var board = new JobBoard();
            var (taken, replaced) = (new List<GenerationJob>(), new List<GenerationJob>());
            var jobs = arrivals.Select(number => number < 0 ? Batch("x") : Live($"{number}")).ToArray();
            foreach (var job in jobs)
                if (board.Add(job) is { } old)
                    replaced.Add(old);
            while (board.Take(_ => true) is { } job)
            {
                taken.Add(job);
                board.Ended(job);
            }
            var live = taken.Where(job => job.Canvas is not null).Select(job => job.Canvas).ToArray();
            return jobs.ToHashSet().SetEquals(taken.Concat(replaced)) && taken.Count + replaced.Count == jobs.Length
                && live.Distinct().Count() == live.Length && board.Count == 0;
        }).QuickCheckThrowOnFailure();

    private static GenerationJob Live(string canvas, string? client = null) =>
        new(Guid.NewGuid(), Any.Check()) { Canvas = canvas, Client = client };

    private static GenerationJob Batch(string client) => new(Guid.NewGuid(), Any.Check()) { Client = client };
}
