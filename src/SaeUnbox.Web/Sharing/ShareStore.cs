using System.Buffers.Text;
using System.ComponentModel.DataAnnotations;
using System.Data.Common;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace SaeUnbox.Web.Sharing;

/// <summary>Stores shared recipes in a database and deletes those that nobody has opened for a long time.</summary>
internal sealed class ShareStore(
    IDbContextFactory<ShareContext> contexts, IOptions<ShareOptions> options, ShareRoom room, TimeProvider clock)
    : IShareStore
{
    private const int IdBytes = 16;
    private const long SecondsPerDay = 86_400;
    private readonly ShareClock _clock = new(clock);

    public Task<string> SaveAsync(Recipe recipe, CancellationToken cancellation = default)
    {
        var (json, hash) = (recipe.ToJson(), recipe.ContentHash());
        return RunAsync(context => SaveAsync(context, json, hash, cancellation), cancellation);
    }

    public Task<Recipe?> FindAsync(string id, CancellationToken cancellation = default) =>
        IsId(id) ? RunAsync(context => FindAsync(context, id, cancellation), cancellation) : Task.FromResult<Recipe?>(null);

    public Task<byte[]?> FindPictureAsync(string id, CancellationToken cancellation = default) => IsId(id)
        ? RunAsync(context => WithId(context, id).Select(recipe => recipe.Picture).FirstOrDefaultAsync(cancellation), cancellation)
        : Task.FromResult<byte[]?>(null);

    public Task SavePictureAsync(string id, byte[] picture, CancellationToken cancellation = default) => RunAsync(context =>
        WithId(context, id).ExecuteUpdateAsync(set => set.SetProperty(recipe => recipe.Picture, picture), cancellation), cancellation);

    private static IQueryable<SharedRecipe> WithId(ShareContext context, string id) =>
        context.Recipes.AsNoTracking().Where(recipe => recipe.Id == id);

    private async Task<T> RunAsync<T>(Func<ShareContext, Task<T>> query, CancellationToken cancellation)
    {
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellation);
            return await query(context);
        }
        catch (Exception exception) when (exception is DbException or DbUpdateException or TimeoutException or SocketException
            or InvalidOperationException { InnerException: DbException })
        {
            throw new ShareStoreException(ShareRoom.IsFull(exception) ? ShareRoom.DiskIsFull : null, exception);
        }
    }

    private async Task<string> SaveAsync(ShareContext context, string json, string hash, CancellationToken cancellation)
    {
        var now = await _clock.NowAsync(context, cancellation);
        await DeleteOldAsync(context, now, cancellation);
        var withHash = context.Recipes.AsNoTracking().Where(recipe => recipe.Hash == hash).Select(recipe => recipe.Id);
        if (await withHash.FirstOrDefaultAsync(cancellation) is { } known)
            return known;
        await room.RequireAsync(context, cancellation);
        var id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes));
        context.Recipes.Add(new SharedRecipe { Id = id, Hash = hash, Json = json, LastSeen = now });
        try
        {
            await context.SaveChangesAsync(cancellation);
            return id;
        }
        catch (DbUpdateException)
        {
            // Someone else may have shared the same recipe at the same time.
            if (await withHash.FirstOrDefaultAsync(cancellation) is { } other)
                return other;
            throw;
        }
    }

    private async Task<Recipe?> FindAsync(ShareContext context, string id, CancellationToken cancellation)
    {
        var now = await _clock.NowAsync(context, cancellation);
        if (await context.Recipes.FindAsync([id], cancellation) is not { } found || IsOld(found, now))
            return null;
        if (now - found.LastSeen > SecondsPerDay)
        {
            found.LastSeen = now;
            await context.SaveChangesAsync(cancellation);
        }
        return Recipe.FromJson(found.Json);
    }

    private bool IsOld(SharedRecipe recipe, long now) =>
        options.Value.Keep > TimeSpan.Zero && now - recipe.LastSeen > options.Value.Keep.TotalSeconds;

    private async Task DeleteOldAsync(ShareContext context, long now, CancellationToken cancellation)
    {
        if (options.Value.Keep <= TimeSpan.Zero)
            return;
        var limit = now - (long)options.Value.Keep.TotalSeconds;
        await context.Recipes.Where(one => one.LastSeen < limit).ExecuteDeleteAsync(cancellation);
    }

    private static bool IsId(string id) => id.Length == ShareId.Length && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}

/// <summary>Stores recipes under short ids. Each method throws <see cref="ShareStoreException"/> if the store cannot be reached.</summary>
public interface IShareStore
{
    /// <summary>Stores a recipe. Equal recipes get the same id.</summary>
    /// <returns>An id of 22 characters (128 random bits).</returns>
    /// <exception cref="RecipeException">The recipe is invalid.</exception>
    Task<string> SaveAsync(Recipe recipe, CancellationToken cancellation = default);

    /// <summary>Returns the recipe, or null if there is none.</summary>
    Task<Recipe?> FindAsync(string id, CancellationToken cancellation = default);

    /// <summary>Returns the recipe's preview, a JPEG, or null if there is none.</summary>
    Task<byte[]?> FindPictureAsync(string id, CancellationToken cancellation = default);

    Task SavePictureAsync(string id, byte[] picture, CancellationToken cancellation = default);
}

/// <param name="reason">One sentence for the visitor; null if the store does not answer.</param>
public sealed class ShareStoreException(string? reason = null, Exception? inner = null)
    : Exception(reason ?? "The store of short links cannot be used right now; try again in a moment.", inner);

internal enum ShareStoreKind
{
    Sqlite,
    Postgres,
}

/// <summary>The store of shared recipes: the section "SaeUnbox:Sharing" and the key "SaeUnbox:Store".</summary>
internal sealed class ShareOptions : IValidatableObject
{
    public const string Section = "SaeUnbox:Sharing", StoreKey = "SaeUnbox:Store";

    public ShareStoreKind Store { get; set; }

    /// <summary>The SQLite file.</summary>
    [Required]
    public string File { get; set; } = Path.Combine(
        Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create),
        "saeunbox", "shares.db");

    /// <summary>
    /// PostgreSQL's connection string, such as "Host=db;Database=saeunbox;Username=saeunbox;Password=…". It is never logged.
    /// </summary>
    public string? Connection { get; set; }

    /// <summary>An SQLite file whose shared recipes are imported at the start.</summary>
    public string? Import { get; set; }

    /// <summary>How long a recipe is kept after someone last opened it; zero keeps it forever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan Keep { get; set; } = TimeSpan.FromDays(365);

    /// <summary>Most bytes that all recipes and previews may take in the store.</summary>
    [Range(1 << 20, long.MaxValue)]
    public long MaxBytes { get; set; } = 4L << 30;

    /// <summary>Free space that the disk of the SQLite file must keep.</summary>
    [Range(0, long.MaxValue)]
    public long MinFreeBytes { get; set; } = 256L << 20;

    /// <summary>Host, port and database of <see cref="Connection"/>, without the secrets.</summary>
    public string Server()
    {
        var parts = new NpgsqlConnectionStringBuilder(Connection);
        return $"{parts.Host}:{parts.Port}/{parts.Database}";
    }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Store != ShareStoreKind.Postgres)
            yield break;
        if (string.IsNullOrWhiteSpace(Connection))
            yield return new($"is empty; {StoreKey} is Postgres, so set a connection string", [nameof(Connection)]);
        else if (Error(Connection) is { } error)
            yield return new($"is not a connection string of PostgreSQL: {error}", [nameof(Connection)]);
    }

    private static string? Error(string connection)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(connection).Host is { Length: > 0 } ? null : "it has no Host";
        }
        catch (ArgumentException exception)
        {
            return exception.Message.TrimEnd('.');
        }
    }
}

/// <summary>The id of a shared recipe: 22 characters of base64url.</summary>
internal static partial class ShareId
{
    public const int Length = 22;

    /// <summary>The id without what a chat has put behind it, such as a bracket or a full stop; other texts as they are.</summary>
    public static string Find(string text) => Pasted().Match(text) is { Success: true } match ? match.Groups[1].Value : text;

    [GeneratedRegex(@"^([A-Za-z0-9_-]{22})[^A-Za-z0-9-]*$", RegexOptions.CultureInvariant)]
    private static partial Regex Pasted();
}

/// <summary>Whether the store has room for another recipe.</summary>
internal sealed class ShareRoom(IOptions<ShareOptions> options)
{
    public const string DiskIsFull = "The disk with the short links is full, so no new one can be saved; older ones still open.";

    /// <exception cref="ShareStoreException">The store or its disk is full.</exception>
    public async Task RequireAsync(ShareContext context, CancellationToken cancellation = default)
    {
        if (Problem is { } problem)
            throw new ShareStoreException(problem);
        if (await BytesAsync(context, cancellation) > options.Value.MaxBytes)
            throw new ShareStoreException("The store of short links is full, so no new one can be saved; older ones still open.");
    }

    /// <summary>Why nothing can be saved on the disk, in one sentence; null if it can. PostgreSQL looks after its own disk.</summary>
    public string? Problem => options.Value.Store == ShareStoreKind.Sqlite && FreeBytes() < options.Value.MinFreeBytes ? DiskIsFull : null;

    /// <summary>Whether a database failed because its disk is full.</summary>
    public static bool IsFull(Exception exception) => exception switch
    {
        SqliteException { SqliteErrorCode: 13 } => true, // SQLITE_FULL
        PostgresException { SqlState: PostgresErrorCodes.DiskFull } => true,
        { InnerException: { } inner } => IsFull(inner),
        _ => false,
    };

    private long FreeBytes()
    {
        try
        {
            return new DriveInfo(Path.GetFullPath(options.Value.File)).AvailableFreeSpace;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return long.MaxValue; // unknown
        }
    }

    private Task<long> BytesAsync(ShareContext context, CancellationToken cancellation) => context.Database.SqlQueryRaw<long>(
        options.Value.Store == ShareStoreKind.Sqlite
            ? "select (c.page_count - f.freelist_count) * s.page_size as Value from pragma_page_count() c, pragma_freelist_count() f, "
                + "pragma_page_size() s"
            : "select pg_total_relation_size('\"Recipes\"') as \"Value\"").SingleAsync(cancellation);
}

/// <summary>
/// The time in seconds since 1970, by which recipes grow old. A clock that is set wrong must not delete recipes, so while the program runs
/// time passes as its timer says, and at the start it is at most a day later than when a recipe was last opened, and never earlier.
/// </summary>
internal sealed class ShareClock(TimeProvider clock)
{
    private const long MostAtStart = 86_400;
    private (long Start, long Stamp)? _base;

    public async Task<long> NowAsync(ShareContext context, CancellationToken cancellation = default)
    {
        if (_base is not { } known)
        {
            var (now, stamp) = (clock.GetUtcNow().ToUnixTimeSeconds(), clock.GetTimestamp());
            var last = await context.Recipes.MaxAsync(recipe => (long?)recipe.LastSeen, cancellation);
            known = (last is { } seen ? Math.Clamp(now, seen, seen + MostAtStart) : now, stamp);
            _base = known;
        }
        return known.Start + (long)clock.GetElapsedTime(known.Stamp).TotalSeconds;
    }
}
