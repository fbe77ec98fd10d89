using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using SaeUnbox.Atlas;
using SaeUnbox.Atlas.Reading;
using SaeUnbox.Contracts;

namespace SaeUnbox.Inference;

/// <summary>The models the hosts hold, and what is known of their features.</summary>
internal sealed partial class ModelCatalogue(ServingHost hosts, ILogger<ModelCatalogue> logger) : IModelCatalogue
{
    private readonly ConcurrentDictionary<string, IFeatureAtlas> _atlases = new();

    public IReadOnlyList<ModelInfo> Models => [.. hosts.Models.Select(model => model.Info)];

    public IFeatureAtlas? AtlasOf(string model) => hosts.Models.FirstOrDefault(known => known.Info.Name == model) is { } hosted
        ? _atlases.GetOrAdd(model, _ => Open(hosted))
        : null;

    private IFeatureAtlas Open(HostedModel hosted)
    {
        var wanted = hosted.Wanted;
        var folders = wanted.AtlasFolder is { } given ? [given] : new[] { wanted.SaeFolder, Path.GetDirectoryName(wanted.SaeFolder), wanted.Folder }
            .OfType<string>().Select(folder => Path.Combine(folder, "atlas"));
        if (folders.FirstOrDefault(folder => File.Exists(Path.Combine(folder, AtlasReader.FileName))) is not { } found)
            return new StatisticsAtlas(hosted.Statistics);
        try
        {
            var atlas = AtlasReader.Open(found);
            if (hosted.Info.Sites.All(sae => atlas.Find(sae.Site, sae.Features - 1) is not null && atlas.Find(sae.Site, sae.Features) is null))
                return atlas;
            Log.OfAnother(logger, found, hosted.Info.Name);
        }
        catch (AtlasException exception)
        {
            Log.Unusable(logger, exception.Message);
        }
        return new StatisticsAtlas(hosted.Statistics);
    }

    private static partial class Log
    {
        [LoggerMessage(20, LogLevel.Warning, "The atlas {Folder} is not of the autoencoders of {Model}; it is not used")]
        public static partial void OfAnother(ILogger logger, string folder, string model);

        [LoggerMessage(21, LogLevel.Warning, "{Reason} It is not used")]
        public static partial void Unusable(ILogger logger, string reason);
    }
}
