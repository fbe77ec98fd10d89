using System.Globalization;
using System.Text;

namespace SaeUnbox.Serving.TestWorker;

/// <summary>
/// Does what a job's prompt says: "work 50" takes 50 ms, in ten stages; "break" throws; "die" ends the process at once. The picture is the
/// recipe's hash, so that a test can match results with jobs.
/// </summary>
public sealed class TestExecutor(string model = TestExecutor.Model) : IJobExecutor
{
    public const string Model = "test";
    private const int Stages = 10;

    public string Device => "cpu";

    /// <summary>The started jobs, in order.</summary>
    public List<GenerationJob> Begun { get; } = [];

    public Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default) =>
        Task.FromResult<IReadOnlyList<ModelInfo>>([new(model, model, Stages, 0, 64, 64, [new(Site.Composition, 100, 5, 8, 8)])]);

    public async Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report,
        CancellationToken cancellationToken = default)
    {
        lock (Begun)
            Begun.Add(job);
        var words = job.Recipe.Prompt.Split(' ');
        switch (words[0])
        {
            case "break":
                throw new InvalidOperationException("the device is broken");
            case "die":
                Environment.FailFast("as the job says");
                break;
            case "work":
                for (var stage = 1; stage <= Stages; stage++)
                {
                    if (cancellationToken.IsCancellationRequested)
                        return new GenerationProgress.Cancelled(job.Id);
                    await Task.Delay(int.Parse(words[1], CultureInfo.InvariantCulture) / Stages, CancellationToken.None);
                    report(new(job.Id, stage, Stages));
                }
                break;
        }
        return new GenerationProgress.Completed(new(job.Id, job.Recipe, Encoding.UTF8.GetBytes(job.Recipe.ContentHash()), Maps(job),
            [new("unet", TimeSpan.FromMilliseconds(1))]));
    }

    private static ActivationMaps Maps(GenerationJob job) =>
        new(job.Sites.Select(
            site => new SiteActivations(site, 0, 1, 2, 100, [1, 2], [.5f, (float)job.Recipe.Seed]) { ExplainedVariance = .5 }));
}
