using SaeUnbox.Cli.Serving;

namespace SaeUnbox.Cli.Tests.Serving;

public sealed class QueueSimulationTests
{
    private static readonly PaintingLoad Steady = new() { Service = 50, ServiceP95 = 50, StrokeEvery = 0 };

    [Fact]
    public void Run_OneWaitingCanvas_TakesTheServiceTime()
    {
        var figures = QueueSimulation.Run(Steady with { Overhead = 7 });

        Assert.Equal(57, figures.P50, 1e-6);
        Assert.Equal(57, figures.P99, 1e-6);
        Assert.Equal(1000 / 57.0, figures.JobsPerSecond, 0.1);
        Assert.Equal(50 / 57.0, figures.Busy, 0.01);
    }

    [Theory]
    [InlineData(3, 1)]
    [InlineData(8, 2)]
    [InlineData(64, 8)]
    public void Run_ManyCanvases_HoldLittlesLaw(int canvases, int workers)
    {
        var figures = QueueSimulation.Run(Steady with { Canvases = canvases, Workers = workers });

        // Each canvas always has one job, so Little's law says: number of jobs = rate x time per job.
        Assert.Equal(canvases, figures.JobsPerSecond * figures.P50 / 1000, 0.05 * canvases);
        Assert.Equal(1, figures.Busy, 0.01);
        Assert.Equal(workers * 1000 / 50.0, figures.JobsPerSecond, 0.5 * workers);
    }

    [Fact]
    public void Run_FastStrokes_AreSeenWithinTwoServices()
    {
        var figures = QueueSimulation.Run(new() { Service = 50, ServiceP95 = 50, StrokeEvery = 10 });

        // A stroke waits at most for the running job and then for its own job.
        Assert.InRange(figures.P50, 50, 100);
        Assert.InRange(figures.P99, figures.P50, 100);
        Assert.Equal(20, figures.FramesPerSecond, 0.5);
    }

    [Fact]
    public void Run_SpreadServiceTimes_HaveTheirMedianAndTail()
    {
        var figures = QueueSimulation.Run(Steady with { ServiceP95 = 100, Duration = 2_000_000 });

        Assert.Equal(50, figures.P50, 1.5);
        Assert.Equal(100, figures.P95, 4.0);
    }

    [Fact]
    public void Run_WithPauses_FreesTheDevice()
    {
        var always = new PaintingLoad { Canvases = 6, StrokeEvery = 200 };
        var (busy, paused) = (QueueSimulation.Run(always), QueueSimulation.Run(always with { Pausing = 9000 }));

        Assert.True(paused.Busy < .5 * busy.Busy, $"{paused} beside {busy}");
        Assert.True(paused.P95 < busy.P95, $"{paused} beside {busy}");
    }

    [Fact]
    public void Run_Twice_GivesTheSame() =>
        Assert.Equal(QueueSimulation.Run(new() { Canvases = 9, Pausing = 500 }),
            QueueSimulation.Run(new() { Canvases = 9, Pausing = 500 }));

    [Fact]
    public void Most_ForATarget_IsTheLargestThatFits()
    {
        var load = new PaintingLoad { Service = 20, ServiceP95 = 26, Workers = 2, Pausing = 4000 };
        var most = QueueSimulation.Most(load, 150);

        Assert.True(QueueSimulation.Run(load with { Canvases = most }).P95 <= 150);
        Assert.True(QueueSimulation.Run(load with { Canvases = most + 1 }).P95 > 150);
        Assert.Equal(0, QueueSimulation.Most(load, 1));
    }
}
