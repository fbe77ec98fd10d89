using Microsoft.Extensions.Logging;

namespace SaeUnbox.Serving;

/// <summary>Finds what is known of a model's features.</summary>
internal static partial class AtlasFinder
{
    /// <param name="model">The model.</param>
    /// <param name="wanted">Its folders.</param>
    /// <param name="statistics">What there is without an atlas.</param>
    /// <param name="logger">Told why an atlas is not used.</param>
    public static IFeatureAtlas Open(ModelInfo model, ServedModel wanted, IReadOnlyList<FeatureStatistics> statistics, ILogger logger)
    {
        var folders = wanted.AtlasFolder is { } given ? [given] : new[] { wanted.SaeFolder, Path.GetDirectoryName(wanted.SaeFolder), wanted.Folder }
            .Where(folder => folder is { Length: > 0 }).Select(folder => Path.Combine(folder!, "atlas"));
        if (folders.FirstOrDefault(folder => File.Exists(Path.Combine(folder, AtlasReader.FileName))) is not { } found)
            return new StatisticsAtlas(statistics);
        try
        {
            var atlas = AtlasReader.Open(found, wanted.ClipFolder is { } clip ? () => Load(clip, logger) : (Func<ITextEmbedder>?)null);
            if (!model.Sites.All(sae => atlas.Find(sae.Site, sae.Features - 1) is not null && atlas.Find(sae.Site, sae.Features) is null))
            {
                Log.OfAnother(logger, found, model.Name);
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
        [LoggerMessage(20, LogLevel.Warning, "The atlas {Folder} is not of the autoencoders of {Model}; it is not used")]
        public static partial void OfAnother(ILogger logger, string folder, string model);

        [LoggerMessage(22, LogLevel.Warning, "The atlas {Folder} holds no embeddings, so searches go by words alone; saeunbox atlas --out {Folder} --clip {Clip} adds them")]
        public static partial void WithoutEmbeddings(ILogger logger, string folder, string clip);

        [LoggerMessage(21, LogLevel.Warning, "{Reason} It is not used")]
        public static partial void Unusable(ILogger logger, string reason);
    }
}
