using System.Text;
using SaeUnbox.Serving.TestWorker;

namespace SaeUnbox.Serving.Tests;

public sealed class RoundTripTests(Broker broker)
{
    [Fact]
    public async Task Submit_Job_ReturnsProgressPictureAndMaps()
    {
        await using var cluster = new Cluster(broker);
        var node = await cluster.NodeAsync();
        await cluster.WorkerAsync(new TestExecutor());
        var job = Jobs.Live("work 300") with { Sites = [Site.Composition] };

        await node.Queue().SubmitAsync(job);
        var reports = await node.ReportsAsync(job.Id);

        Assert.Contains(reports, report => report is GenerationProgress.Running { Steps: 10, Step: > 0 });
        var result = Assert.IsType<GenerationProgress.Completed>(reports[^1]).Result;
        Assert.Equal(job.Recipe, result.Recipe);
        Assert.Equal(job.Recipe.ContentHash(), Encoding.UTF8.GetString(result.Picture.Span));
        var map = Assert.Single(result.Maps.All);
        Assert.Equal((Site.Composition, .5, job.Recipe.Seed), (map.Site, map.ExplainedVariance, (long)map.Values[1]));
        Assert.Equal(["wait", "unet"], result.Timings.Select(timing => timing.Stage));
    }
}
