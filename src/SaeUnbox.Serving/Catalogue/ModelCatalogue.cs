using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace SaeUnbox.Serving;

/// <summary>The models the hosts hold, and what is known of their features.</summary>
internal sealed class ModelCatalogue(ServingHost hosts, ILogger<ModelCatalogue> logger) : IModelCatalogue
{
    private readonly ConcurrentDictionary<string, IFeatureAtlas> _atlases = new();

    public IReadOnlyList<ModelInfo> Models => [.. hosts.Models.Select(model => model.Info)];

    public IFeatureAtlas? AtlasOf(string model) => hosts.Models.FirstOrDefault(known => known.Info.Name == model) is { } hosted
        ? _atlases.GetOrAdd(model, _ => AtlasFinder.Open(hosted.Info, hosted.Wanted, hosted.Statistics, logger))
        : null;
}
