namespace SaeUnbox.Serving;

/// <summary>Does one job on one model, on the thread that calls it. It knows of no queue: any kind of worker can use it.</summary>
public sealed class JobRunner(LoadedModel model) : IDisposable
{
    private readonly RecipeRunner _runner = new(model);

    public ModelInfo Model => model.Info;

    /// <summary>Whether this model can do it.</summary>
    /// <exception cref="RecipeException">Every field that does not fit is named.</exception>
    public void RequireFit(GenerationJob job)
    {
        RecipeFit.Require(job.Recipe, model);
        foreach (var site in job.Sites)
            if (model.Info.Find(site) is null)
                throw new RecipeException("sites", ModelFit.NoAutoencoder(site, model.Info));
    }

    /// <param name="job">What to do.</param>
    /// <param name="progress">Told of steps done and steps in all.</param>
    /// <param name="cancellation">Ends it between two stages.</param>
    /// <exception cref="RecipeException">The recipe does not fit the model.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public GenerationResult Run(GenerationJob job, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        RequireFit(job);
        var outcome = _runner.Run(job.Recipe, new RunRequest { Read = job.Sites, Picture = job.Picture is not null, Progress = progress }, cancellation);
        if (outcome.Picture is not { } picture)
            return new(job.Id, job.Recipe, default, outcome.Maps, outcome.Timings);
        var encoding = new StageClock();
        var bytes = encoding.Time("encode", () => PictureEncoder.Encode(picture, job.Picture!.Value, job.Recipe));
        return new(job.Id, job.Recipe, bytes, outcome.Maps, [.. outcome.Timings, .. encoding.Timings]);
    }

    public void Dispose() => _runner.Dispose();
}
