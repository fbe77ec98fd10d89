using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Data.Sqlite;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>Writes atlases. A new one is renamed into place when complete, so that readers never see half of one.</summary>
public static class AtlasWriter
{
    // Large pages waste less space on pictures.
    private const string Pack = "PRAGMA page_size = 16384; VACUUM";

    /// <exception cref="AtlasException">It cannot be written.</exception>
    public static void Write(string path, AtlasContents contents)
    {
        var aside = $"{path}.{Guid.NewGuid():n}.part";
        try
        {
            using (var connection = Open(aside, SqliteOpenMode.ReadWriteCreate))
            {
                AtlasSchema.Create(connection);
                using var transaction = connection.BeginTransaction();
                Fill(connection, contents);
                transaction.Commit();
                connection.Run("INSERT INTO search(search) VALUES ('optimize')");
                connection.Run(Pack);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception exception) when (exception is SqliteException or IOException or UnauthorizedAccessException)
        {
            throw new AtlasException($"The atlas '{path}' cannot be written: {exception.Message}", exception);
        }
        finally
        {
            if (File.Exists(aside))
                File.Delete(aside);
        }
    }

    /// <summary>Replaces the suggestions of an existing atlas.</summary>
    /// <exception cref="AtlasException">It cannot be written.</exception>
    public static void SetSuggestions(string path, IReadOnlyList<Suggestion> suggestions) => Change(path, connection =>
    {
        connection.Run("DELETE FROM suggestions");
        Add(connection, suggestions);
    });

    /// <summary>Names features of an existing atlas. A category becomes the first of a feature's words.</summary>
    /// <returns>The number of features that were named.</returns>
    /// <exception cref="AtlasException">It cannot be written.</exception>
    public static int SetLabels(string path, IReadOnlyDictionary<(Site Site, int Feature), FeatureLabel> labels)
    {
        var named = 0;
        Change(path, connection =>
        {
            var rows = SearchRows(connection);
            foreach (var (site, feature, words) in Words(connection).Where(row => labels.ContainsKey((row.Site, row.Feature))))
            {
                var label = labels[(site, feature)];
                IEnumerable<string> all = label.Category is { Length: > 0 } category ? [category, .. words.Except([category])] : words;
                connection.Run("UPDATE features SET name = $1, words = $2 WHERE site = $3 AND feature = $4", label.Name,
                    string.Join('\n', all), site.Code, feature);
                if (rows.TryGetValue((site, feature), out var row))
                    connection.Run("UPDATE search SET name = $1, words = $2 WHERE rowid = $3", label.Name, string.Join(' ', all), row);
                named++;
            }
        });
        return named;
    }

    /// <summary>
    /// Takes what was measured of features into an existing atlas: their names, or that they have none, and their effects.
    /// </summary>
    /// <exception cref="AtlasException">It cannot be written.</exception>
    public static void SetFeatures(string path, IReadOnlyList<MeasuredFeature> features) => Change(path, connection =>
    {
        connection.Run(AtlasSchema.Effects);
        var rows = SearchRows(connection);
        foreach (var one in features)
        {
            connection.Run("UPDATE features SET name = $1 WHERE site = $2 AND feature = $3", one.Name, one.Site.Code, one.Feature);
            if (rows.TryGetValue((one.Site, one.Feature), out var row))
                connection.Run("UPDATE search SET name = $1 WHERE rowid = $2", one.Name ?? "", row);
            if (one.Effect is { } effect)
                connection.Run("INSERT INTO effects VALUES ($1, $2, $3, $4, $5, $6)", one.Site.Code, one.Feature, effect.Element,
                    effect.Strength, effect.Painted, effect.Removed);
        }
        connection.Run("INSERT INTO search(search) VALUES ('optimize')");
    }, packs: true);

    /// <summary>Replaces the CLIP embeddings of an existing atlas.</summary>
    /// <exception cref="AtlasException">It cannot be written.</exception>
    public static void SetEmbeddings(string path, FeatureEmbeddings embeddings) => Change(path, connection =>
    {
        connection.Run(AtlasSchema.Embeddings);
        connection.Run("INSERT OR REPLACE INTO meta VALUES ('embedding', $1)", Convert.ToBase64String(VectorBytes.Of(embeddings.Probe)));
        foreach (var one in embeddings.Vectors)
            connection.Run("INSERT INTO embeddings VALUES ($1, $2, $3)", one.Site.Code, one.Feature, VectorBytes.Of(one.Vector));
    });

    /// <summary>Keeps concepts in an existing atlas. Each takes the place of one with the same name.</summary>
    /// <exception cref="AtlasException">It cannot be written.</exception>
    public static void SetConcepts(string path, params IReadOnlyList<Concept> concepts) => Change(path, connection =>
    {
        foreach (var concept in concepts)
            Add(connection, concept);
    });

    private static void Add(SqliteConnection connection, Concept concept)
    {
        connection.Run(AtlasSchema.Concepts);
        connection.Run("INSERT OR REPLACE INTO concepts VALUES ($1, $2)", concept.Name, JsonSerializer.Serialize(concept));
    }

    // The columns of the search table have no index.
    private static Dictionary<(Site, int), long> SearchRows(SqliteConnection connection) => connection
        .Rows("SELECT site, feature, rowid FROM search", row => (Key: (Site.Parse(row.GetString(0)), row.GetInt32(1)), Id: row.GetInt64(2)))
        .ToDictionary(row => row.Key, row => row.Id);

    private static List<(Site Site, int Feature, string[] Words)> Words(SqliteConnection connection) => connection.Rows(
        "SELECT site, feature, words FROM features",
        row => (Site.Parse(row.GetString(0)), row.GetInt32(1), row.GetString(2).Split('\n', StringSplitOptions.RemoveEmptyEntries)));

    // Packing gives back the room of what was replaced.
    private static void Change(string path, Action<SqliteConnection> change, bool packs = false)
    {
        try
        {
            using var connection = Open(path, SqliteOpenMode.ReadWrite);
            AtlasSchema.Check(connection, path);
            using var transaction = connection.BeginTransaction();
            change(connection);
            transaction.Commit();
            if (packs)
                connection.Run(Pack);
        }
        catch (SqliteException exception)
        {
            throw new AtlasException($"The atlas '{path}' cannot be changed: {exception.Message}", exception);
        }
    }

    private static void Fill(SqliteConnection connection, AtlasContents contents)
    {
        connection.Run("INSERT INTO meta VALUES ('model', $1)", contents.Model);
        foreach (var sprite in contents.Sprites)
        {
            connection.Run("INSERT INTO pictures VALUES ($1, 'image/jpeg', $2, $3, $4)", $"sprites/{sprite.Site}.jpg", sprite.Width,
                sprite.Height, sprite.Jpeg);
            connection.Run("INSERT INTO meta VALUES ($1, $2)", $"sprite:{sprite.Site}",
                FormattableString.Invariant($"{sprite.TileSize} {sprite.Columns} {sprite.Width} {sprite.Height}"));
        }
        foreach (var (id, image) in contents.Images.Index())
        {
            connection.Run("INSERT INTO images VALUES ($1, $2, $3, $4, $5)", id, image.Caption, image.Seed, image.Width, image.Height);
            connection.Run("INSERT INTO pictures VALUES ($1, 'image/jpeg', $2, $3, $4)", $"images/{id}.jpg", image.Width, image.Height,
                image.Jpeg);
        }
        if (contents.Features.Any(feature => feature.Activity is not null))
            connection.Run(AtlasSchema.Activity);
        foreach (var feature in contents.Features)
            Add(connection, feature, contents.Images);
        Add(connection, contents.Suggestions);
        foreach (var concept in contents.Concepts)
            Add(connection, concept);
    }

    private static void Add(SqliteConnection connection, AtlasFeature feature, IReadOnlyList<AtlasImage> images)
    {
        var (site, number) = (feature.Statistics.Site.Code, feature.Statistics.Feature);
        connection.Run("INSERT INTO features VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", site, number, feature.Statistics.Mean,
            feature.Statistics.Std,
            feature.Statistics.Frequency ?? 0, feature.Strongest, feature.Name, string.Join('\n', feature.Words), feature.Tile,
            feature.Place?.X, feature.Place?.Y);
        foreach (var (rank, top) in feature.Tops.Index())
            connection.Run("INSERT INTO tops VALUES ($1, $2, $3, $4, $5, $6)", site, number, rank, top.Image, top.Mean,
                top.Heat?.ToString());
        foreach (var other in feature.Similar)
            connection.Run("INSERT INTO similar VALUES ($1, $2, $3, $4, $5)", site, number, other.Site.Code, other.Feature, other.Cosine);
        if (feature.Activity is { } activity)
            connection.Run("INSERT INTO activity VALUES ($1, $2, $3)", site, number, PackedJson.Of(activity));
        if (feature.Statistics.Mean > 0)
            connection.Run("INSERT INTO search VALUES ($1, $2, $3, $4, $5)", site, number, feature.Name ?? "",
                string.Join(' ', feature.Words),
                string.Join('\n', feature.Tops.Select(top => images[top.Image].Caption).Where(caption => caption.Length > 0).Distinct()));
    }

    private static void Add(SqliteConnection connection, IEnumerable<Suggestion> suggestions)
    {
        foreach (var (position, suggestion) in suggestions.Index())
            connection.Run("INSERT INTO suggestions VALUES ($1, $2, $3)", position, suggestion.Title, suggestion.Recipe.ToJson());
    }

    private static SqliteConnection Open(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ConnectionString);
        connection.Open();
        return connection;
    }
}

/// <summary>What was measured of a feature.</summary>
/// <param name="Name">What it detects; null if nothing.</param>
/// <param name="Effect">What it paints and takes out; null if that was not measured, as for what no brush can paint.</param>
public sealed record MeasuredFeature(Site Site, int Feature, string? Name, FeatureEffect? Effect)
{
    /// <summary>How well it detects what it is named after; null without a name.</summary>
    public FeatureDetection? Detection { get; init; }

    /// <summary>The same in other pictures than those it was named on; null if it is active in none of them.</summary>
    public FeatureDetection? Checked { get; init; }
}

/// <summary>How well the cells that show what a feature is named after agree with those in which it is active.</summary>
/// <param name="Auc">
/// The chance that a cell in which it is active, drawn by its activation there, shows this while a cell in which it is not does not; cells
/// that are alike count half.
/// </param>
/// <param name="Share">Share of its activation that lies in the cells that show this.</param>
/// <param name="Iou">Intersection over union of both at the threshold that makes it largest.</param>
public sealed record FeatureDetection(double Auc, double Share, double Iou)
{
    /// <summary>
    /// Whether the name fits. The area cannot be large for what fills half of all cells, such as the sky; there nearly all activation has
    /// to be inside.
    /// </summary>
    [JsonIgnore]
    public bool Fits => Auc >= .8 || Share >= .95;
}

/// <summary>A name that someone gave to a feature.</summary>
/// <param name="Category">What kind of thing it is, such as "texture"; null for none.</param>
public sealed record FeatureLabel(string Name, string? Category);

/// <summary>Imports a published atlas of pictures, SITE/FEATURE.jpg. It has no captions, seeds or maps.</summary>
public static class AtlasImport
{
    /// <param name="progress">Receives the number of features done, and of all.</param>
    /// <exception cref="AtlasException">A folder is missing, a picture is broken, or the atlas cannot be written.</exception>
    public static void Run(LoadedModel model, AtlasRequest request, string source, string folder, Action<int, int>? progress = null,
        CancellationToken cancellation = default)
    {
        if (!Directory.Exists(source))
            throw new AtlasException($"There is no folder '{source}' to import an atlas from.");
        var (images, features, sprites) = (new List<AtlasImage>(), new List<AtlasFeature>(), new List<AtlasSprite>());
        var (done, all) = (0, model.Info.Sites.Sum(sae => sae.Features));
        foreach (var sae in model.Info.Sites)
        {
            var sheet = new TileSheet(request.TileSide);
            var whole = BrushMask.FromCells(1, 1, [1]);
            var near = AtlasGeometry.Neighbours(model, sae.Site, request.Neighbours, request.LeastCosine);
            var shown = Enumerable.Range(0, sae.Features).Where(feature => File.Exists(PathOf(sae.Site, feature))).ToArray();
            var places = AtlasGeometry.Places(model, sae.Site, shown, cancellation);
            for (var feature = 0; feature < sae.Features; feature++)
            {
                cancellation.ThrowIfCancellationRequested();
                var image = places.ContainsKey(feature) ? Small(PathOf(sae.Site, feature), request.PictureSide) : null;
                if (image is not null)
                    images.Add(image);
                var scale = model.Saes[sae.Site].Scale;
                var statistics = new FeatureStatistics(sae.Site, feature, scale?.Mean[feature] ?? 0,
                    scale?.StandardDeviation?[feature] ?? 0);
                IReadOnlyList<AtlasTop> tops = image is null ? [] : [new(images.Count - 1, 0, null)];
                features.Add(new(statistics, 0, request.Names.GetValueOrDefault((sae.Site, feature)), [], tops, near[feature],
                    places.TryGetValue(feature, out var place) ? place : null, image is null ? null : sheet.Add(image.Jpeg, whole)));
                progress?.Invoke(++done, all);
            }
            if (sheet.Count > 0)
                sprites.Add(sheet.Finish(sae.Site));
        }
        if (images.Count == 0)
            throw new AtlasException($"'{source}' holds no pictures such as {model.Info.Sites[0].Site}/0.jpg.");
        Directory.CreateDirectory(folder);
        AtlasWriter.Write(Path.Combine(folder, AtlasReader.FileName), new(model.Info.Name, features, images, sprites, request.Suggestions));

        string PathOf(Site site, int feature) =>
            Path.Combine(source, site.Code, $"{feature.ToString(CultureInfo.InvariantCulture)}.jpg");
    }

    private static AtlasImage Small(string path, int side)
    {
        try
        {
            var small = SmallPicture.Of(Picture.Decode(File.ReadAllBytes(path)), side);
            return new("", null, small.Width, small.Height, small.Jpeg);
        }
        catch (PictureException exception)
        {
            throw new AtlasException($"The picture '{path}' cannot be read: {exception.Message}", exception);
        }
    }
}

/// <summary>Adds CLIP embeddings of each feature's pictures to an atlas, so that searches also find what no caption names.</summary>
public static class AtlasEmbedding
{
    /// <param name="folder">Holds the atlas. It changes only when all embeddings are computed.</param>
    /// <param name="progress">Receives the number of pictures done, and of all.</param>
    /// <exception cref="AtlasException">The atlas or one of its pictures is broken, or the atlas cannot be written.</exception>
    public static void Add(string folder, ClipModel clip, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        var atlas = AtlasReader.Open(folder);
        var features = atlas.Sites.SelectMany(site => Features(atlas, site)).Where(feature => feature.Pictures.Length > 0).ToArray();
        var names = features.SelectMany(feature => feature.Pictures).Distinct().ToArray();
        var seen = new Dictionary<string, float[]>();
        foreach (var name in names)
        {
            cancellation.ThrowIfCancellationRequested();
            seen[name] = Embed(atlas, name, clip);
            progress?.Invoke(seen.Count, names.Length);
        }
        var embeddings = features.Select(feature =>
            new FeatureEmbedding(feature.Site, feature.Number, Mean([.. feature.Pictures.Select(name => seen[name])])));
        AtlasWriter.SetEmbeddings(Path.Combine(folder, AtlasReader.FileName),
            new(new ClipTextEmbedder(clip).Embed(FeatureEmbeddings.ProbeText), [.. embeddings]));
    }

    private static IEnumerable<(Site Site, int Number, string[] Pictures)> Features(AtlasReader atlas, Site site)
    {
        for (var feature = 0; atlas.Find(site, feature) is not null; feature++)
            yield return (site, feature, [.. atlas.TopPictures(site, feature).Select(top => top.Picture)]);
    }

    private static float[] Embed(AtlasReader atlas, string name, ClipModel clip)
    {
        try
        {
            var found = atlas.Picture(name) ?? throw new AtlasException($"The atlas lacks its picture {name}.");
            var picture = Jpeg.Decode(found.Bytes.Span);
            using var scope = NewDisposeScope();
            return clip.EmbedPicture(picture.Pixels, picture.Width, picture.Height).contiguous().data<float>().ToArray();
        }
        catch (PictureException exception)
        {
            throw new AtlasException($"The atlas's picture {name} cannot be read: {exception.Message}", exception);
        }
    }

    private static float[] Mean(float[][] vectors)
    {
        var sum = Enumerable.Range(0, vectors[0].Length).Select(i => vectors.Sum(vector => vector[i])).ToArray();
        var length = MathF.Max(MathF.Sqrt(sum.Sum(value => value * value)), 1e-12f);
        return Array.ConvertAll(sum, value => value / length);
    }
}
