using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace SaeUnbox.Web.Sharing;

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
