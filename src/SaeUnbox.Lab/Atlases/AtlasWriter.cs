using Microsoft.Data.Sqlite;

namespace SaeUnbox.Lab;

/// <summary>Writes atlases: aside first, then renamed, so that a reader never sees half of one.</summary>
public static class AtlasWriter
{
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
                Run(connection, "INSERT INTO search(search) VALUES ('optimize')");
                Run(connection, "VACUUM");
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

    /// <summary>Puts other suggestions into an atlas that is there.</summary>
    /// <exception cref="AtlasException">It cannot be written.</exception>
    public static void SetSuggestions(string path, IReadOnlyList<Suggestion> suggestions) => Change(path, connection =>
    {
        Run(connection, "DELETE FROM suggestions");
        Add(connection, suggestions);
    });

    /// <summary>Puts what features' pictures show into an atlas that is there, in place of what was there of it.</summary>
    /// <exception cref="AtlasException">It cannot be written.</exception>
    public static void SetEmbeddings(string path, FeatureEmbeddings embeddings) => Change(path, connection =>
    {
        AtlasSchema.ClearEmbeddings(connection);
        Run(connection, "INSERT OR REPLACE INTO meta VALUES ('embedding', $1)", Convert.ToBase64String(VectorBytes.Of(embeddings.Probe)));
        foreach (var one in embeddings.Vectors)
            Run(connection, "INSERT INTO embeddings VALUES ($1, $2, $3)", one.Site.Code, one.Feature, VectorBytes.Of(one.Vector));
    });

    private static void Change(string path, Action<SqliteConnection> change)
    {
        try
        {
            using var connection = Open(path, SqliteOpenMode.ReadWrite);
            AtlasSchema.Check(connection, path);
            using var transaction = connection.BeginTransaction();
            change(connection);
            transaction.Commit();
        }
        catch (SqliteException exception)
        {
            throw new AtlasException($"The atlas '{path}' cannot be changed: {exception.Message}", exception);
        }
    }

    private static void Fill(SqliteConnection connection, AtlasContents contents)
    {
        Run(connection, "INSERT INTO meta VALUES ('model', $1)", contents.Model);
        foreach (var sprite in contents.Sprites)
        {
            Run(connection, "INSERT INTO pictures VALUES ($1, 'image/jpeg', $2, $3, $4)", $"sprites/{sprite.Site}.jpg", sprite.Width, sprite.Height, sprite.Jpeg);
            Run(connection, "INSERT INTO meta VALUES ($1, $2)", $"sprite:{sprite.Site}", FormattableString.Invariant($"{sprite.TileSize} {sprite.Columns} {sprite.Width} {sprite.Height}"));
        }
        foreach (var (id, image) in contents.Images.Index())
        {
            Run(connection, "INSERT INTO images VALUES ($1, $2, $3, $4, $5)", id, image.Caption, image.Seed, image.Width, image.Height);
            Run(connection, "INSERT INTO pictures VALUES ($1, 'image/jpeg', $2, $3, $4)", $"images/{id}.jpg", image.Width, image.Height, image.Jpeg);
        }
        foreach (var feature in contents.Features)
            Add(connection, feature, contents.Images);
        Add(connection, contents.Suggestions);
    }

    private static void Add(SqliteConnection connection, AtlasFeature feature, IReadOnlyList<AtlasImage> images)
    {
        var (site, number) = (feature.Statistics.Site.Code, feature.Statistics.Feature);
        Run(connection, "INSERT INTO features VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)", site, number, feature.Statistics.Mean, feature.Statistics.Std,
            feature.Statistics.Frequency ?? 0, feature.Strongest, feature.Name, string.Join('\n', feature.Words), feature.Tile, feature.Place?.X, feature.Place?.Y);
        foreach (var (rank, top) in feature.Tops.Index())
            Run(connection, "INSERT INTO tops VALUES ($1, $2, $3, $4, $5, $6)", site, number, rank, top.Image, top.Mean, top.Heat?.ToString());
        foreach (var other in feature.Similar)
            Run(connection, "INSERT INTO similar VALUES ($1, $2, $3, $4, $5)", site, number, other.Site.Code, other.Feature, other.Cosine);
        if (feature.Statistics.Mean > 0)
            Run(connection, "INSERT INTO search VALUES ($1, $2, $3, $4, $5)", site, number, feature.Name ?? "", string.Join(' ', feature.Words),
                string.Join('\n', feature.Tops.Select(top => images[top.Image].Caption).Where(caption => caption.Length > 0).Distinct()));
    }

    private static void Add(SqliteConnection connection, IEnumerable<Suggestion> suggestions)
    {
        foreach (var (position, suggestion) in suggestions.Index())
            Run(connection, "INSERT INTO suggestions VALUES ($1, $2, $3)", position, suggestion.Title, suggestion.Recipe.ToJson());
    }

    private static SqliteConnection Open(string path, SqliteOpenMode mode)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = mode, Pooling = false }.ConnectionString);
        connection.Open();
        return connection;
    }

    private static void Run(SqliteConnection connection, string sql, params object?[] values)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (i, value) in values.Index())
            command.Parameters.AddWithValue($"${i + 1}", value ?? DBNull.Value);
        command.ExecuteNonQuery();
    }
}
