namespace SaeUnbox.Serving;

/// <summary>A model on its host, with what others may know of it without touching a tensor.</summary>
internal sealed class HostedModel : IDisposable
{
    private readonly LoadedModel _model;

    public HostedModel(LoadedModel model, ServedModel wanted)
    {
        _model = model;
        Runner = new JobRunner(model);
        Wanted = wanted;
        Statistics = [.. model.Saes.SelectMany(pair => Enumerable.Range(0, pair.Value.Config.Features).Select(feature =>
            new FeatureStatistics(pair.Key, feature, pair.Value.Scale?.Mean[feature] ?? 0, pair.Value.Scale?.StandardDeviation?[feature] ?? 0)))];
    }

    public ModelInfo Info => _model.Info;

    public ServedModel Wanted { get; }

    public JobRunner Runner { get; }

    /// <summary>Of every feature of every site, in order.</summary>
    public IReadOnlyList<FeatureStatistics> Statistics { get; }

    public void Dispose()
    {
        Runner.Dispose();
        _model.Dispose();
    }
}
