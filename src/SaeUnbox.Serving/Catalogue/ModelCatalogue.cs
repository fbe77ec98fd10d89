using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using SaeUnbox.Serving.RabbitMq;

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
internal sealed partial class RemoteCatalogue(WorkerDirectory workers, IOptions<ServingOptions> options, ILogger<RemoteCatalogue> logger)
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

/// <summary>Opens a model's feature atlas.</summary>
internal static partial class AtlasFinder
{
    /// <param name="wanted">The model's folders.</param>
    /// <param name="statistics">Shown instead if there is no usable atlas.</param>
    public static IFeatureAtlas Open(ModelInfo model, ServedModel wanted, IReadOnlyList<FeatureStatistics> statistics, ILogger logger)
    {
        var found = wanted.AtlasFolder ?? AtlasReader.FolderFor(wanted.SaeFolder, wanted.Folder);
        if (found is null || !File.Exists(Path.Combine(found, AtlasReader.FileName)))
            return new StatisticsAtlas(statistics);
        try
        {
            var atlas = AtlasReader.Open(found, wanted.ClipFolder is { } clip ? () => Load(clip, logger) : (Func<ITextEmbedder>?)null);
            if (!model.Sites.All(sae => atlas.Find(sae.Site, sae.Features - 1) is not null && atlas.Find(sae.Site, sae.Features) is null))
            {
                Log.Mismatch(logger, found, model.Name);
                return new StatisticsAtlas(statistics);
            }
            if (wanted.ClipFolder is not null && !atlas.HasEmbeddings)
                Log.WithoutEmbeddings(logger, found, wanted.ClipFolder);
            return atlas;
        }
        catch (AtlasException exception)
        {
            Log.Unusable(logger, exception.Message);
        }
        return new StatisticsAtlas(statistics);
    }

    private static ClipTextEmbedder Load(string folder, ILogger logger)
    {
        try
        {
            return new(ClipModel.Load(folder));
        }
        catch (Exception exception) when (exception is ModelException or CheckpointException)
        {
            Log.Unusable(logger, exception.Message);
            throw new AtlasException($"The CLIP model cannot be used: {exception.Message}", exception);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(20, LogLevel.Warning, "The atlas {Folder} does not match the autoencoders of {Model} and is ignored")]
        public static partial void Mismatch(ILogger logger, string folder, string model);

        [LoggerMessage(22, LogLevel.Warning,
            "The atlas {Folder} has no embeddings, so searches go by words only; add them "
            + "with saeunbox atlas --out {Folder} --clip {Clip}")]
        public static partial void WithoutEmbeddings(ILogger logger, string folder, string clip);

        [LoggerMessage(21, LogLevel.Warning, "{Reason} It is ignored")]
        public static partial void Unusable(ILogger logger, string reason);
    }
}

/// <summary>The substitute for a missing atlas: lists features with the activation statistics from the autoencoders' files.</summary>
internal sealed class StatisticsAtlas : IFeatureAtlas
{
    private readonly Dictionary<Site, FeatureCard[]> _cards;

    public StatisticsAtlas(IReadOnlyList<FeatureStatistics> statistics)
    {
        _cards = statistics.GroupBy(feature => feature.Site).OrderBy(group => group.Key)
            .ToDictionary(group => group.Key,
                group => group.OrderBy(feature => feature.Feature).Select(feature => new FeatureCard(feature, null, [], null)).ToArray());
        Sites = [.. _cards.Keys];
    }

    public IReadOnlyList<Site> Sites { get; }

    public IReadOnlyList<Suggestion> Suggestions => [];

    public FeatureHits Search(FeatureQuery query)
    {
        var cards = Sites
            .Where(site => query.Site is null || query.Site == site)
            .SelectMany(site => _cards[site])
            .Where(card => query.Dead || !card.IsDead);
        if (query.Text?.Trim() is { Length: > 0 } text)
            // Without captions, only feature numbers can be searched, by their leading digits.
            cards = text.All(char.IsAsciiDigit)
                ? cards.Where(card => card.Feature.ToString(CultureInfo.InvariantCulture).StartsWith(text, StringComparison.Ordinal))
                : [];
        var sorted = (query.Sort switch
        {
            FeatureSort.Mean or FeatureSort.Max => cards.OrderByDescending(card => card.Statistics.Mean),
            FeatureSort.Frequency => cards.OrderByDescending(card => card.Statistics.Frequency ?? 0),
            _ => cards,
        }).ToArray();
        return new(sorted.Length,
            [.. sorted.Skip(query.Offset).Take(Math.Min(query.Limit, FeatureQuery.MaxLimit)).Select(card => new FeatureHit(card, null))]);
    }

    public FeatureCard? Find(Site site, int feature) =>
        _cards.TryGetValue(site, out var cards) && feature >= 0 && feature < cards.Length ? cards[feature] : null;

    public IReadOnlyList<TopPicture> TopPictures(Site site, int feature) => [];

    public IReadOnlyList<SimilarFeature> Similar(Site site, int feature) => [];

    public IReadOnlyList<FeaturePlace> Map(Site site) => [];

    public AtlasPicture? Picture(string name) => null;
}

/// <summary>Embeds search texts with CLIP's text model. Thread-safe; calls run one at a time.</summary>
public sealed class ClipTextEmbedder(ClipModel clip) : ITextEmbedder
{
    private readonly Lock _lock = new();

    public float[] Embed(string text)
    {
        lock (_lock)
            return clip.EmbedText(text);
    }
}
