using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace SaeUnbox.Serving;

/// <summary>
/// Reads a feature atlas. The cards of all features are kept in memory; pictures, neighbours and searches query the file, which is opened
/// read-only. Thread-safe.
/// </summary>
public sealed class AtlasReader : IFeatureAtlas
{
    /// <summary>Name of the file in an atlas folder.</summary>
    public const string FileName = "atlas.sqlite";

    /// <summary>Name of the file with the words that a small model knows, in the form of <see cref="Vocabulary.Parse"/>.</summary>
    public const string VocabularyFile = "vocabulary.txt";

    private const int MostSimilar = 24, Nearest = 60;
    private readonly string _path, _connection;
    private readonly Dictionary<Site, FeatureCard[]> _cards = [];
    private readonly Dictionary<Site, float[]> _strongest = [];
    private readonly Dictionary<Site, IReadOnlyList<FeaturePlace>> _places = [];
    private readonly TilePictures _tiles;
    private EmbeddingIndex? _embeddings;
    private bool _hasActivity;

    private AtlasReader(string path)
    {
        _path = path;
        _tiles = new(Stored);
        _connection = new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadOnly }.ConnectionString;
    }

    public IReadOnlyList<Site> Sites { get; private set; } = [];

    public IReadOnlyList<Suggestion> Suggestions { get; private set; } = [];

    public IReadOnlyList<Concept> Concepts { get; private set; } = [];

    public Vocabulary? Vocabulary { get; private set; }

    /// <summary>Whether searches also go by meaning.</summary>
    public bool HasEmbeddings => _embeddings is not null;

    /// <summary>Name of the model whose features the atlas shows.</summary>
    public string Model { get; private set; } = "";

    /// <summary>
    /// The folder of a model's atlas: <c>atlas</c> in or next to the autoencoders' folder, or in the model's; null for none.
    /// </summary>
    /// <param name="saeFolder">Null without autoencoders.</param>
    /// <param name="modelFolder">The model's folder or file.</param>
    public static string? FolderFor(string? saeFolder, string modelFolder) =>
        new[] { saeFolder, Path.GetDirectoryName(saeFolder), modelFolder }
            .Where(folder => folder is { Length: > 0 }).Select(folder => Path.Combine(folder!, "atlas"))
            .FirstOrDefault(folder => File.Exists(Path.Combine(folder, FileName)));

    /// <param name="folder">Holds <see cref="FileName"/>.</param>
    /// <param name="embedder">Enables searches by meaning if the atlas has embeddings.</param>
    /// <exception cref="AtlasException">
    /// The atlas is missing or broken, or its embeddings are of another model than the embedder's.
    /// </exception>
    public static AtlasReader Open(string folder, ITextEmbedder? embedder = null)
    {
        var reader = Open(folder, embedder is null ? null : () => embedder);
        reader._embeddings?.Prepare();
        return reader;
    }

    /// <param name="folder">Holds <see cref="FileName"/>.</param>
    /// <param name="embedder">
    /// Creates the embedder on the first text search. If it throws an <see cref="AtlasException"/>, or its model is not that of the atlas,
    /// searches go by words only and say so.
    /// </param>
    /// <exception cref="AtlasException">The atlas is missing or broken.</exception>
    public static AtlasReader Open(string folder, Func<ITextEmbedder>? embedder)
    {
        var path = Path.Combine(folder, FileName);
        if (!File.Exists(path))
            throw new AtlasException($"'{folder}' holds no {FileName}.");
        try
        {
            var reader = new AtlasReader(path);
            // Pooled connections may still be open to a file that has been replaced.
            using (var stale = new SqliteConnection(reader._connection))
                SqliteConnection.ClearPool(stale);
            reader.Load(embedder);
            if (Path.Combine(folder, VocabularyFile) is var words && File.Exists(words))
                reader.Vocabulary = Vocabulary.Parse(File.ReadLines(words));
            return reader;
        }
        catch (Exception exception) when (IsOfABrokenFile(exception))
        {
            throw Broken(path, exception);
        }
    }

    public FeatureCard? Find(Site site, int feature) =>
        _cards.TryGetValue(site, out var cards) && feature >= 0 && feature < cards.Length ? cards[feature] : null;

    public FeatureHits Search(FeatureQuery query)
    {
        string? note = null;
        var text = string.Concat((query.Text ?? "").Select(c => char.IsControl(c) ? ' ' : c)).Trim();
        (query, text, var number) = Notation(query, text);
        var hits = number is not null ? All(query).Where(card => card.Feature == number).Select(card => new FeatureHit(card, null))
            : text.Length == 0 ? All(query).Select(card => new FeatureHit(card, null))
            : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _)
                ? All(query).Where(card => card.Feature.ToString(CultureInfo.InvariantCulture).StartsWith(text, StringComparison.Ordinal))
                    .Select(card => new FeatureHit(card, null))
            : Matches(query, text, out note);
        var sorted = Sort(hits, query.Sort, text.Length > 0).ToArray();
        return new(sorted.Length, [.. sorted.Skip(Math.Max(0, query.Offset)).Take(Math.Clamp(query.Limit, 1, FeatureQuery.MaxLimit))],
            note);
    }

    // Reads what the pages write: "#62" is a number, and "down.2.1 62" a site and a number.
    private static (FeatureQuery Query, string Text, int? Number) Notation(FeatureQuery query, string text)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (words.Length > 0 && query.Site is null && Site.TryParse(words[0], out var site))
            (query, words) = (query with { Site = site }, words[1..]);
        else if (words is not [['#', ..]])
            return (query, text, null);
        return words is [var last] && int.TryParse(last.TrimStart('#'), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? (query, "", number)
            : (query, string.Join(' ', words), null);
    }

    public IReadOnlyList<TopPicture> TopPictures(Site site, int feature) =>
        Rows(
            "SELECT t.image, i.caption, i.seed, t.mean, t.heat FROM tops t JOIN images i ON i.id = t.image WHERE t.site = $1 AND "
            + "t.feature = $2 ORDER BY t.rank",
            row => new TopPicture(NameOf(row.GetInt64(0)), row.GetString(1), row.IsDBNull(2) ? null : row.GetInt64(2),
                row.GetDouble(3), row.IsDBNull(4) ? null : BrushMask.Parse(row.GetString(4))),
            site.Code, feature);

    public IReadOnlyList<SimilarFeature> Similar(Site site, int feature) =>
        [.. Rows("SELECT other_site, other, cosine FROM similar WHERE site = $1 AND feature = $2 AND cosine >= $4 ORDER BY cosine DESC "
            + "LIMIT $3",
            row =>
                (Site: Site.Parse(row.GetString(0)), Feature: row.GetInt32(1), Cosine: row.GetDouble(2)), site.Code, feature,
                MostSimilar, SimilarFeature.LeastCosine)
            .Select(other => (Card: Find(other.Site, other.Feature), other.Cosine)).Where(other => other.Card is not null)
                .Select(other => new SimilarFeature(other.Card!, other.Cosine))];

    public FeatureActivity Activity(Site site, int feature)
    {
        var found = _hasActivity
            ? Rows("SELECT definition FROM activity WHERE site = $1 AND feature = $2",
                row => PackedJson.Read<AtlasActivity>(row.GetFieldValue<byte[]>(0)), site.Code, feature).FirstOrDefault()
            : null;
        return found is null
            ? FeatureActivity.Unknown
            : new(found.Histogram,
                [.. from other in found.Together
                    let card = Find(other.Site, other.Feature)
                    where card is not null
                    select new TogetherFeature(card, other.Correlation)],
                Pictures(found.Random), Pictures(found.Weak));
    }

    private TopPicture[] Pictures(IReadOnlyList<AtlasTop> seen) =>
    [
        .. seen.Select(one => Rows("SELECT caption, seed FROM images WHERE id = $1",
            row => new TopPicture(NameOf(one.Image), row.GetString(0), row.IsDBNull(1) ? null : row.GetInt64(1), one.Mean, one.Heat),
            one.Image).FirstOrDefault()).OfType<TopPicture>(),
    ];

    private static string NameOf(long image) => $"images/{image}.jpg";

    public IReadOnlyList<FeaturePlace> Map(Site site) => _places.GetValueOrDefault(site) ?? [];

    public AtlasPicture? Picture(string name) => name.StartsWith("tiles/", StringComparison.Ordinal)
        ? TileOf(name) is { } tile ? _tiles.Cut(tile) : null
        : Stored(name);

    private SpriteTile? TileOf(string name) =>
        name.Split('/') is [_, var code, var file]
            && Site.TryParse(code, out var site)
            && file.EndsWith(".jpg", StringComparison.Ordinal)
            && int.TryParse(file.AsSpan(0, file.Length - 4), NumberStyles.None, CultureInfo.InvariantCulture, out var feature)
            ? Find(site, feature)?.Thumbnail
            : null;

    private AtlasPicture? Stored(string name) =>
        Rows("SELECT media_type, bytes FROM pictures WHERE name = $1",
            row => new AtlasPicture(row.GetString(0), row.GetFieldValue<byte[]>(1)), name).FirstOrDefault();

    private IEnumerable<FeatureCard> All(FeatureQuery query) =>
        Sites
            .Where(site => query.Site is null || query.Site == site)
            .SelectMany(site => _cards[site])
            .Where(card => query.Only is { } only ? only.Contains((card.Site, card.Feature)) : query.Dead || !card.IsDead);

    // Searches by words and, if possible, by meaning, and merges the two rankings.
    private IEnumerable<FeatureHit> Matches(FeatureQuery query, string text, out string? note)
    {
        note = null;
        var words = Matches(query, text);
        if (_embeddings is not { } embeddings)
            return words;
        try
        {
            return RankFusion.Merge(words, [.. Near(embeddings, query, text)], hit => (hit.Card.Site, hit.Card.Feature),
                (one, _) => one with { By = FoundBy.Both });
        }
        catch (AtlasException exception)
        {
            note = $"Only words were searched. {exception.Message}";
            return words;
        }
    }

    // Names and typical words say what a feature is; captions also name what else is in its pictures. So a word is looked for in captions
    // only if no name and no typical word has it, and as the beginning of a word only if it is no word.
    private IEnumerable<FeatureHit> Matches(FeatureQuery query, string text)
    {
        // Quoting keeps FTS5 from reading operators in the text.
        var words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(word => $"\"{word.Replace("\"", "\"\"", StringComparison.Ordinal)}\"").ToArray();
        var (whole, begun) = (string.Join(' ', words), string.Join(' ', words.Select(word => $"{word}*")));
        var hits = new[] { $"{{name words}}: ({whole})", $"{{name words}}: ({begun})", whole, begun }
            .Select(Rows).FirstOrDefault(found => found.Count > 0) ?? [];
        var byName = hits.Where(hit => query.Site is null || hit.Site == query.Site)
            .Where(hit => query.Only?.Contains((hit.Site, hit.Feature)) != false)
            .Select(hit => (Card: Find(hit.Site, hit.Feature), hit.Match))
            .Where(hit => hit.Card is not null)
            .Select(hit => new FeatureHit(hit.Card!, hit.Match, FoundBy.Words))
            .ToLookup(hit => string.Equals(hit.Card.Name, text, StringComparison.OrdinalIgnoreCase));
        // Features with exactly this name come first, the most frequent at the top.
        return byName[true].OrderByDescending(hit => hit.Card.Statistics.Frequency).Concat(byName[false]);

        List<(Site Site, int Feature, string Match)> Rows(string match) => this.Rows(
            "SELECT site, feature, snippet(search, -1, '', '', '…', 12) FROM search WHERE search MATCH $1 ORDER BY bm25(search, 0, 0, 8, "
            + "4, 1) LIMIT 5000",
            row => (Site.Parse(row.GetString(0)), row.GetInt32(1), row.GetString(2)), match);
    }

    private IEnumerable<FeatureHit> Near(EmbeddingIndex embeddings, FeatureQuery query, string text) =>
        embeddings
            .Nearest(text, query.Site, Nearest)
            .Where(near => query.Only?.Contains(near) != false)
            .Select(near => Find(near.Site, near.Feature))
            .OfType<FeatureCard>()
            .Select(card => new FeatureHit(card, null, FoundBy.Meaning));

    private IEnumerable<FeatureHit> Sort(IEnumerable<FeatureHit> hits, FeatureSort sort, bool hasText) => (sort, hasText) switch
    {
        (FeatureSort.Relevance, true) => hits,
        (FeatureSort.Number, _) => hits.OrderBy(hit => hit.Card.Feature).ThenBy(hit => hit.Card.Site),
        (FeatureSort.Mean, _) => hits.OrderByDescending(hit => hit.Card.Statistics.Mean),
        (FeatureSort.Max, _) => hits.OrderByDescending(hit => _strongest[hit.Card.Site][hit.Card.Feature]),
        _ => hits.OrderByDescending(hit => hit.Card.Statistics.Frequency),
    };

    private void Load(Func<ITextEmbedder>? embedder)
    {
        using (var connection = new SqliteConnection(_connection))
        {
            connection.Open();
            AtlasSchema.Check(connection, _path);
        }
        var meta = Rows("SELECT key, value FROM meta",
            row => (Key: row.GetString(0), Value: row.GetString(1))).ToDictionary(row => row.Key, row => row.Value);
        Model = meta.GetValueOrDefault("model", "");
        var effects = HasTable("effects")
            ? Rows("SELECT site, feature, element, strength, painted, removed FROM effects",
                row => (Key: (row.GetString(0), row.GetInt32(1)),
                Effect: new FeatureEffect(row.GetString(2), row.IsDBNull(3) ? null : row.GetDouble(3), row.GetDouble(4),
                    row.IsDBNull(5) ? null : row.GetDouble(5)))).ToDictionary(row => row.Key, row => row.Effect)
            : [];
        foreach (var group in Rows(
            "SELECT site, feature, mean, std, frequency, strongest, name, words, tile, x, y FROM features ORDER BY site, feature",
            Row).GroupBy(row =>
                row.Site))
        {
            var rows = group.ToArray();
            if (rows.Index().Any(row => row.Item.Statistics.Feature != row.Index))
                throw new AtlasException($"The atlas '{_path}' is broken: features of {group.Key} are missing.");
            var sheet = meta.TryGetValue($"sprite:{group.Key}", out var text) ? [.. text.Split(' ').Select(int.Parse)] : Array.Empty<int>();
            _cards[group.Key] = [.. rows.Select(row => new FeatureCard(row.Statistics, row.Name, [.. row.Words],
                Tile(row.Tile, group.Key, sheet))
            {
                Effect = effects.GetValueOrDefault((row.Site.Code, row.Statistics.Feature)),
            })];
            _strongest[group.Key] = [.. rows.Select(row => row.Strongest)];
            _places[group.Key] = [.. rows.Where(row => row.Place is not null).Select(row => row.Place!.Value)];
        }
        Sites = [.. _cards.Keys.Order()];
        Suggestions = Rows("SELECT title, recipe FROM suggestions ORDER BY position",
            row => new Suggestion(row.GetString(0), Recipe.FromJson(row.GetString(1))));
        _hasActivity = HasTable("activity");
        if (HasTable("concepts"))
            Concepts = Rows("SELECT definition FROM concepts ORDER BY name", row => JsonSerializer.Deserialize<Concept>(row.GetString(0))!);
        if (embedder is not null && meta.TryGetValue("embedding", out var known))
            _embeddings = Embeddings(Convert.FromBase64String(known), embedder);
    }

    private bool HasTable(string name) => Rows("SELECT 1 FROM sqlite_master WHERE name = $1", _ => true, name).Count > 0;

    private EmbeddingIndex Embeddings(byte[] known, Func<ITextEmbedder> make)
    {
        var width = known.Length / 2;
        var embedder = new Lazy<ITextEmbedder>(() => make() is var made && EmbeddingIndex.Fits(VectorBytes.Read(known, width), made)
            ? made
            : throw new AtlasException($"The embeddings of the atlas '{_path}' were made with another model than the configured one."));
        return new(Rows("SELECT site, feature, vector FROM embeddings",
            row => new FeatureEmbedding(Site.Parse(row.GetString(0)), row.GetInt32(1),
                VectorBytes.Read(row.GetFieldValue<byte[]>(2), width))), embedder);
    }

    private static (Site Site, FeatureStatistics Statistics, float Strongest, string? Name, string[] Words, int? Tile,
        FeaturePlace? Place) Row(SqliteDataReader row)
    {
        var (site, feature) = (Site.Parse(row.GetString(0)), row.GetInt32(1));
        return (site, new(site, feature, row.GetDouble(2), row.GetDouble(3),
            row.GetDouble(4)), row.GetFloat(5), row.IsDBNull(6) ? null : row.GetString(6),
            row.GetString(7).Split('\n', StringSplitOptions.RemoveEmptyEntries), row.IsDBNull(8) ? null : row.GetInt32(8),
            row.IsDBNull(9) ? null : new FeaturePlace(feature, row.GetFloat(9), row.GetFloat(10)));
    }

    private static SpriteTile? Tile(int? tile, Site site, int[] sheet) =>
        tile is { } number && sheet is [var size, var columns, var width, var height] && columns > 0
        ? new($"sprites/{site}.jpg", number % columns * size, number / columns * size, size, width, height)
        : null;

    private List<T> Rows<T>(string sql, Func<SqliteDataReader, T> read, params object[] values)
    {
        try
        {
            using var connection = new SqliteConnection(_connection);
            connection.Open();
            return connection.Rows(sql, read, values);
        }
        catch (Exception exception) when (IsOfABrokenFile(exception))
        {
            throw Broken(_path, exception);
        }
    }

    private static bool IsOfABrokenFile(Exception exception) =>
        exception is SqliteException or InvalidCastException or FormatException or RecipeException or ArgumentException
            or InvalidOperationException or OverflowException or JsonException or InvalidDataException;

    private static AtlasException Broken(string path, Exception exception) =>
        new($"The atlas '{path}' is broken: {exception.Message}", exception);
}

/// <summary>
/// Cuts tiles out of sprite sheets on request, so that a page with a few features need not load whole sheets. Decoded sheets stay in
/// memory. Thread-safe.
/// </summary>
internal sealed class TilePictures(Func<string, AtlasPicture?> sheet)
{
    private const int Quality = 85;
    private readonly ConcurrentDictionary<string, Lazy<Picture?>> _sheets = new();

    /// <returns>Null if the sheet is missing, unreadable or too small.</returns>
    public AtlasPicture? Cut(SpriteTile tile)
    {
        var picture = _sheets.GetOrAdd(tile.Picture, name => new(() => Decode(name))).Value;
        return picture is not null && tile.X + tile.Size <= picture.Width && tile.Y + tile.Size <= picture.Height
            ? new("image/jpeg",
                Jpeg.Encode(PictureScaling.Resize(picture, tile.X, tile.Y, tile.Size, tile.Size, tile.Size, tile.Size), Quality))
            : null;
    }

    private Picture? Decode(string name)
    {
        try
        {
            return sheet(name) is { } found ? Jpeg.Decode(found.Bytes.Span) : null;
        }
        catch (PictureException)
        {
            return null;
        }
    }
}
