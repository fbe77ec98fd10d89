using System.IO.Compression;
using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace SaeUnbox.Serving;

/// <summary>The tables of an atlas. One SQLite file holds everything, including the pictures.</summary>
internal static class AtlasSchema
{
    /// <summary>Identifies a SQLite file as an atlas of this layout.</summary>
    public const int ApplicationId = 0x53414541, Version = 1;

    private const string Tables = """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE features (
            site TEXT NOT NULL, feature INTEGER NOT NULL, mean REAL NOT NULL, std REAL NOT NULL, frequency REAL NOT NULL,
            strongest REAL NOT NULL,
            name TEXT, words TEXT NOT NULL DEFAULT '', tile INTEGER, x REAL, y REAL, PRIMARY KEY (site, feature)) WITHOUT ROWID;
        CREATE TABLE images (id INTEGER PRIMARY KEY, caption TEXT NOT NULL, seed INTEGER, width INTEGER NOT NULL, height INTEGER NOT NULL);
        CREATE TABLE tops (
            site TEXT NOT NULL, feature INTEGER NOT NULL, rank INTEGER NOT NULL, image INTEGER NOT NULL REFERENCES images(id),
            mean REAL NOT NULL, heat TEXT,
            PRIMARY KEY (site, feature, rank)) WITHOUT ROWID;
        CREATE TABLE similar (
            site TEXT NOT NULL, feature INTEGER NOT NULL, other_site TEXT NOT NULL, other INTEGER NOT NULL, cosine REAL NOT NULL,
            PRIMARY KEY (site, feature, other_site, other)) WITHOUT ROWID;
        CREATE TABLE pictures (
            name TEXT PRIMARY KEY, media_type TEXT NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL, bytes BLOB NOT NULL);
        CREATE TABLE suggestions (position INTEGER PRIMARY KEY, title TEXT NOT NULL, recipe TEXT NOT NULL);
        CREATE VIRTUAL TABLE search USING fts5 (site UNINDEXED, feature UNINDEXED, name, words, captions, tokenize = 'porter unicode61');
        """;

    // Created on demand: embeddings are optional.
    public const string Embeddings = """
        CREATE TABLE IF NOT EXISTS embeddings (
            site TEXT NOT NULL, feature INTEGER NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (site, feature)) WITHOUT ROWID;
        DELETE FROM embeddings;
        """;

    // Created on demand: atlases of earlier versions have none. The definition is JSON.
    public const string Concepts =
        "CREATE TABLE IF NOT EXISTS concepts (name TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID";

    // Created on demand: atlases of earlier versions have none. The definition is packed JSON, too long for a table without row numbers.
    public const string Activity = """
        CREATE TABLE IF NOT EXISTS activity (
            site TEXT NOT NULL, feature INTEGER NOT NULL, definition BLOB NOT NULL, PRIMARY KEY (site, feature))
        """;

    // Created on demand: atlases of earlier versions, and of models whose features were not measured, have none.
    public const string Effects = """
        CREATE TABLE IF NOT EXISTS effects (
            site TEXT NOT NULL, feature INTEGER NOT NULL, element TEXT NOT NULL, strength REAL, painted REAL NOT NULL, removed REAL,
            PRIMARY KEY (site, feature)) WITHOUT ROWID;
        DELETE FROM effects;
        """;

    public static void Create(SqliteConnection connection) =>
        connection.Run($"PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {Version};{Tables}");

    /// <exception cref="AtlasException">The file is not an atlas, or has another layout.</exception>
    public static void Check(SqliteConnection connection, string path)
    {
        if (Number("PRAGMA application_id") != ApplicationId)
            throw new AtlasException($"'{path}' is not an atlas.");
        if (Number("PRAGMA user_version") is var version && version != Version)
            throw new AtlasException(
                $"The atlas '{path}' has layout {version}; this program reads layout {Version}. Build it again with saeunbox atlas.");

        long Number(string sql) => connection.Rows(sql, row => row.GetInt64(0)).Single();
    }
}

/// <summary>Runs SQL with the parameters $1, $2, …</summary>
internal static class SqliteStatements
{
    public static void Run(this SqliteConnection connection, string sql, params object?[] values)
    {
        using var command = Command(connection, sql, values);
        command.ExecuteNonQuery();
    }

    public static List<T> Rows<T>(this SqliteConnection connection, string sql, Func<SqliteDataReader, T> read, params object?[] values)
    {
        using var command = Command(connection, sql, values);
        using var reader = command.ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
            rows.Add(read(reader));
        return rows;
    }

    private static SqliteCommand Command(SqliteConnection connection, string sql, object?[] values)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (i, value) in values.Index())
            command.Parameters.AddWithValue($"${i + 1}", value ?? DBNull.Value);
        return command;
    }
}

/// <summary>A feature, as stored in an atlas.</summary>
/// <param name="Strongest">Mean activation over the grid of its top picture.</param>
public sealed record AtlasFeature(FeatureStatistics Statistics, double Strongest, string? Name, IReadOnlyList<string> Words,
    IReadOnlyList<AtlasTop> Tops,
    IReadOnlyList<(Site Site, int Feature, double Cosine)> Similar, FeaturePlace? Place, int? Tile)
{
    /// <summary>Null if it was not counted.</summary>
    public AtlasActivity? Activity { get; init; }
}

/// <summary>One of the pictures that activate a feature most.</summary>
/// <param name="Image">Index among the atlas's images.</param>
/// <param name="Mean">Mean activation over the grid.</param>
/// <param name="Heat">Activations divided by the largest.</param>
public sealed record AtlasTop(int Image, double Mean, BrushMask? Heat);

/// <summary>A <see cref="FeatureActivity"/>, as stored in an atlas.</summary>
public sealed record AtlasActivity(ActivationHistogram? Histogram, IReadOnlyList<AtlasTogether> Together, IReadOnlyList<AtlasTop> Random,
    IReadOnlyList<AtlasTop> Weak);

/// <param name="Correlation">See <see cref="TogetherFeature"/>.</param>
public sealed record AtlasTogether(Site Site, int Feature, double Correlation);

public sealed record AtlasImage(string Caption, long? Seed, int Width, int Height, byte[] Jpeg);

/// <summary>The tiles of a site's features in one picture, row by row.</summary>
public sealed record AtlasSprite(Site Site, int TileSize, int Columns, int Width, int Height, byte[] Jpeg);

/// <summary>Everything that an atlas stores.</summary>
public sealed record AtlasContents(string Model, IReadOnlyList<AtlasFeature> Features, IReadOnlyList<AtlasImage> Images,
    IReadOnlyList<AtlasSprite> Sprites,
    IReadOnlyList<Suggestion> Suggestions)
{
    public IReadOnlyList<Concept> Concepts { get; init; } = [];
}

/// <summary>An atlas cannot be read or written. The message names the file and the problem, in one sentence.</summary>
public sealed class AtlasException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Stores records as JSON, compressed by Brotli: masks and names repeat.</summary>
internal static class PackedJson
{
    // Of an unpacked record. What packs better than this is no record of an atlas.
    private const int MaxLength = 1 << 20;

    public static byte[] Of<T>(T value)
    {
        using var packed = new MemoryStream();
        using (var brotli = new BrotliStream(packed, CompressionLevel.SmallestSize))
            JsonSerializer.Serialize(brotli, value);
        return packed.ToArray();
    }

    /// <exception cref="InvalidDataException">The bytes are broken or too long.</exception>
    /// <exception cref="InvalidOperationException">The bytes are broken.</exception>
    /// <exception cref="JsonException">They hold something else.</exception>
    public static T Read<T>(byte[] bytes)
    {
        using var brotli = new BrotliStream(new MemoryStream(bytes), CompressionMode.Decompress);
        var json = new byte[MaxLength];
        var length = brotli.ReadAtLeast(json, json.Length, throwOnEndOfStream: false);
        return length < MaxLength
            ? JsonSerializer.Deserialize<T>(json.AsSpan(0, length)) ?? throw new InvalidDataException("a record is empty.")
            : throw new InvalidDataException("a record is too long.");
    }
}
