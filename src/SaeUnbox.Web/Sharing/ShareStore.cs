using System.Buffers.Text;
using System.ComponentModel.DataAnnotations;
using System.Data.Common;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace SaeUnbox.Web.Sharing;

/// <summary>Shared recipes in a database; what nobody opened for long is forgotten.</summary>
internal sealed class ShareStore(IDbContextFactory<ShareContext> contexts, IOptions<ShareOptions> options, TimeProvider clock) : IShareStore
{
    private const int IdBytes = 16, IdLength = 22;
    private const long Day = 86_400;

    public Task<string> SaveAsync(Recipe recipe, CancellationToken cancellation = default)
    {
        var (json, hash) = (recipe.ToJson(), recipe.ContentHash());
        return WithinAsync(context => SaveAsync(context, json, hash, cancellation), cancellation);
    }

    public Task<Recipe?> FindAsync(string id, CancellationToken cancellation = default) =>
        IsId(id) ? WithinAsync(context => FindAsync(context, id, cancellation), cancellation) : Task.FromResult<Recipe?>(null);

    public Task<byte[]?> FindPictureAsync(string id, CancellationToken cancellation = default) => IsId(id)
        ? WithinAsync(context => context.Recipes.AsNoTracking().Where(one => one.Id == id).Select(one => one.Picture).FirstOrDefaultAsync(cancellation), cancellation)
        : Task.FromResult<byte[]?>(null);

    public Task SavePictureAsync(string id, byte[] picture, CancellationToken cancellation = default) =>
        WithinAsync(context => context.Recipes.Where(one => one.Id == id).ExecuteUpdateAsync(set => set.SetProperty(one => one.Picture, picture), cancellation), cancellation);

    private async Task<T> WithinAsync<T>(Func<ShareContext, Task<T>> work, CancellationToken cancellation)
    {
        try
        {
            await using var context = await contexts.CreateDbContextAsync(cancellation);
            return await work(context);
        }
        catch (Exception exception) when (exception is DbException or DbUpdateException or TimeoutException or SocketException or InvalidOperationException { InnerException: DbException })
        {
            throw new ShareStoreException(exception);
        }
    }

    private async Task<string> SaveAsync(ShareContext context, string json, string hash, CancellationToken cancellation)
    {
        await ForgetAsync(context, cancellation);
        if (await context.Recipes.AsNoTracking().Where(one => one.Hash == hash).Select(one => one.Id).FirstOrDefaultAsync(cancellation) is { } known)
            return known;
        var id = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(IdBytes));
        context.Recipes.Add(new SharedRecipe { Id = id, Hash = hash, Json = json, LastSeen = Now });
        try
        {
            await context.SaveChangesAsync(cancellation);
            return id;
        }
        catch (DbUpdateException)
        {
            // Somebody shared the very same recipe at the same moment.
            return await context.Recipes.AsNoTracking().Where(one => one.Hash == hash).Select(one => one.Id).FirstAsync(cancellation);
        }
    }

    private async Task<Recipe?> FindAsync(ShareContext context, string id, CancellationToken cancellation)
    {
        if (await context.Recipes.FindAsync([id], cancellation) is not { } found || IsOld(found))
            return null;
        if (Now - found.LastSeen > Day)
        {
            found.LastSeen = Now;
            await context.SaveChangesAsync(cancellation);
        }
        return Recipe.FromJson(found.Json);
    }

    private long Now => clock.GetUtcNow().ToUnixTimeSeconds();

    private bool IsOld(SharedRecipe recipe) => options.Value.Keep > TimeSpan.Zero && Now - recipe.LastSeen > options.Value.Keep.TotalSeconds;

    private async Task ForgetAsync(ShareContext context, CancellationToken cancellation)
    {
        if (options.Value.Keep <= TimeSpan.Zero)
            return;
        var limit = Now - (long)options.Value.Keep.TotalSeconds;
        await context.Recipes.Where(one => one.LastSeen < limit).ExecuteDeleteAsync(cancellation);
    }

    private static bool IsId(string id) => id.Length == IdLength && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}

/// <summary>Recipes under short addresses. Every call throws <see cref="ShareStoreException"/> where the store does not answer.</summary>
public interface IShareStore
{
    /// <summary>Keeps a recipe; equal recipes have one address.</summary>
    /// <returns>An id of 22 characters (128 random bits).</returns>
    /// <exception cref="RecipeException">The recipe is not valid.</exception>
    Task<string> SaveAsync(Recipe recipe, CancellationToken cancellation = default);

    /// <summary>The recipe of an id; null where there is none, or no longer.</summary>
    Task<Recipe?> FindAsync(string id, CancellationToken cancellation = default);

    /// <summary>The picture of an id's card; null where none was made yet.</summary>
    Task<byte[]?> FindPictureAsync(string id, CancellationToken cancellation = default);

    Task SavePictureAsync(string id, byte[] picture, CancellationToken cancellation = default);
}

/// <summary>The store of shared recipes does not answer.</summary>
public sealed class ShareStoreException(Exception inner) : Exception("The store of short links cannot be used right now; try again in a moment.", inner);

internal enum ShareStoreKind
{
    Sqlite,
    Postgres,
}

/// <summary>The section "SaeUnbox:Sharing"; which store stands one level above, as "SaeUnbox:Store".</summary>
internal sealed class ShareOptions : IValidatableObject
{
    public const string Section = "SaeUnbox:Sharing", StoreKey = "SaeUnbox:Store";

    public ShareStoreKind Store { get; set; }

    /// <summary>The SQLite file.</summary>
    [Required]
    public string File { get; set; } = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create), "saeunbox", "shares.db");

    /// <summary>How PostgreSQL is reached, such as "Host=db;Database=saeunbox;Username=saeunbox;Password=…". It is never logged.</summary>
    public string? Connection { get; set; }

    /// <summary>An SQLite file of shared recipes that is taken over at the start.</summary>
    public string? Import { get; set; }

    /// <summary>How long a link that nobody opens is kept; zero for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan Keep { get; set; } = TimeSpan.FromDays(365);

    /// <summary>Host, port and database of <see cref="Connection"/>, without what is secret.</summary>
    public string Server() => new NpgsqlConnectionStringBuilder(Connection) is var parts ? $"{parts.Host}:{parts.Port}/{parts.Database}" : "";

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Store != ShareStoreKind.Postgres)
            yield break;
        if (string.IsNullOrWhiteSpace(Connection))
            yield return new($"is empty; {StoreKey} is Postgres, so it must say how to reach it", [nameof(Connection)]);
        else if (Mistake(Connection) is { } mistake)
            yield return new($"is no connection string of PostgreSQL: {mistake}", [nameof(Connection)]);
    }

    private static string? Mistake(string connection)
    {
        try
        {
            return new NpgsqlConnectionStringBuilder(connection).Host is { Length: > 0 } ? null : "it names no Host";
        }
        catch (ArgumentException exception)
        {
            return exception.Message.TrimEnd('.');
        }
    }
}
