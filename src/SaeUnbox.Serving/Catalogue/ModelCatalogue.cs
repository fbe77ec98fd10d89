using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving;

/// <summary>The models loaded in this process, and their atlases.</summary>
internal sealed class ModelCatalogue(ServingHost hosts, ILogger<ModelCatalogue> logger) : IModelCatalogue
{
    private readonly ConcurrentDictionary<string, IFeatureAtlas> _atlases = new();

    public IReadOnlyList<ModelInfo> Models => [.. hosts.Models.Select(model => model.Info)];

    public IFeatureAtlas? AtlasOf(string model) => hosts.Models.FirstOrDefault(known => known.Info.Name == model) is { } hosted
        ? _atlases.GetOrAdd(model, _ => AtlasFinder.Open(hosted.Info, hosted.Wanted, hosted.Statistics, logger))
        : null;
}

/// <summary>The workers' models, configured ones first. Their atlases are read on this machine.</summary>
internal sealed partial class RemoteCatalogue(IWorkerDirectory workers, IOptions<ServingOptions> options, ILogger<RemoteCatalogue> logger)
    : IModelCatalogue
{
    private readonly ConcurrentDictionary<ModelInfo, IFeatureAtlas> _atlases = new(ByName.Instance);
    private readonly ServedModel[] _wanted = options.Value.Models is { Count: > 0 } given ? [.. given] : [ServedModel.Embedded];

    public IReadOnlyList<ModelInfo> Models =>
        [.. workers.Models.OrderBy(model => Array.FindIndex(_wanted, wanted => NameOf(wanted) == model.Name) is var place
        && place < 0
        ? int.MaxValue
        : place)];

    public IFeatureAtlas? AtlasOf(string model) =>
        workers.Models.FirstOrDefault(known => known.Name == model) is { } info ? _atlases.GetOrAdd(info, Open) : null;

    private IFeatureAtlas Open(ModelInfo model)
    {
        // Without an atlas only the feature numbers are known, because the statistics are on the worker.
        var numbers = model.Sites.SelectMany(sae => Enumerable.Range(0, sae.Features)
            .Select(feature => new FeatureStatistics(sae.Site, feature, 0, 0)))
            .ToArray();
        var atlas = AtlasFinder.Open(model, Array.Find(_wanted, wanted => NameOf(wanted) == model.Name) ?? new(), numbers, logger);
        if (atlas is StatisticsAtlas)
            Log.NumbersOnly(logger, model.Name);
        return atlas;
    }

    private static string NameOf(ServedModel model) => model.Name ?? LoadedModel.NameOf(model.Folder);

    private static partial class Log
    {
        [LoggerMessage(22, LogLevel.Warning,
            "The features of {Model} are shown by number only; set its AtlasFolder under SaeUnbox:Models (no weights are needed)")]
        public static partial void NumbersOnly(ILogger logger, string model);
    }

    private sealed class ByName : IEqualityComparer<ModelInfo>
    {
        public static ByName Instance { get; } = new();

        public bool Equals(ModelInfo? x, ModelInfo? y) => x?.Name == y?.Name;

        public int GetHashCode(ModelInfo model) => model.Name.GetHashCode(StringComparison.Ordinal);
    }
}
