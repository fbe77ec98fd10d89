using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Sharing;

/// <summary>Makes the store ready before the first request: the newest schema, and what another file holds, where one is to be taken over.</summary>
internal sealed partial class ShareDatabase(IDbContextFactory<ShareContext> contexts, IOptions<ShareOptions> options, ILogger<ShareDatabase> logger)
{
    private const int BatchSize = 500;

    /// <exception cref="IOException">The store, or the file to take over, cannot be used; the message says which and what to do, and no secret.</exception>
    public void Prepare()
    {
        var store = options.Value.Store == ShareStoreKind.Postgres ? $"The store of shared recipes, {options.Value.Server()},"
            : $"The file of shared recipes, {Path.GetFullPath(options.Value.File)},";
        Guarded(store, $"name another by {ShareOptions.Section}:{(options.Value.Store == ShareStoreKind.Postgres ? nameof(ShareOptions.Connection) : nameof(ShareOptions.File))}, or see to it", () =>
        {
            if (options.Value.Store == ShareStoreKind.Sqlite)
                Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(options.Value.File))!);
            using var context = contexts.CreateDbContext();
            context.Database.Migrate();
        });
        if (options.Value.Import is { Length: > 0 } file)
            Guarded($"The shared recipes of {Path.GetFullPath(file)}", $"name a file of shared recipes by {ShareOptions.Section}:{nameof(ShareOptions.Import)}", () => Import(file));
    }

    // Done again, it adds only what is new: links keep their ids.
    private void Import(string file)
    {
        using var source = new ShareContext(new DbContextOptionsBuilder<ShareContext>()
            .UseSqlite(new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false }.ConnectionString).Options);
        var (taken, all) = (0, 0);
        foreach (var batch in source.Recipes.AsNoTracking().OrderBy(recipe => recipe.Id).AsEnumerable().Chunk(BatchSize))
        {
            using var target = contexts.CreateDbContext();
            var (ids, hashes) = (batch.Select(recipe => recipe.Id).ToArray(), batch.Select(recipe => recipe.Hash).ToArray());
            var known = target.Recipes.Where(recipe => ids.Contains(recipe.Id) || hashes.Contains(recipe.Hash)).Select(recipe => new { recipe.Id, recipe.Hash }).ToArray();
            var fresh = batch.Where(recipe => !known.Any(one => one.Id == recipe.Id || one.Hash == recipe.Hash)).ToArray();
            target.Recipes.AddRange(fresh);
            target.SaveChanges();
            (taken, all) = (taken + fresh.Length, all + batch.Length);
        }
        Log.Imported(logger, taken, all, file);
    }

    private static void Guarded(string what, string remedy, Action work)
    {
        try
        {
            work();
        }
        catch (Exception exception) when (exception is DbException or DbUpdateException or UnauthorizedAccessException or IOException or InvalidOperationException or System.Net.Sockets.SocketException)
        {
            throw new IOException($"{what} cannot be used ({(exception.InnerException ?? exception).Message.ReplaceLineEndings(" ")}); {remedy}.", exception);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Took over {Taken} of {All} shared recipes from {File}; the others were there")]
        public static partial void Imported(ILogger logger, int taken, int all, string file);
    }
}

/// <summary>The store of shared recipes, in SQLite as it stands.</summary>
internal class ShareContext : DbContext
{
    public ShareContext(DbContextOptions<ShareContext> options) : base(options)
    {
    }

    protected ShareContext(DbContextOptions options) : base(options)
    {
    }

    public DbSet<SharedRecipe> Recipes => Set<SharedRecipe>();

    protected override void OnModelCreating(ModelBuilder modelBuilder) => modelBuilder.Entity<SharedRecipe>(recipe =>
    {
        recipe.HasKey(one => one.Id);
        recipe.Property(one => one.Id).HasMaxLength(22);
        recipe.Property(one => one.Hash).HasMaxLength(64);
        recipe.HasIndex(one => one.Hash).IsUnique();
        recipe.HasIndex(one => one.LastSeen);
    });
}

internal sealed class SharedRecipe
{
    public required string Id { get; set; }

    /// <summary>The recipe's content hash.</summary>
    public required string Hash { get; set; }

    /// <summary>Its canonical JSON.</summary>
    public required string Json { get; set; }

    /// <summary>Seconds since 1970 at which it was shared or asked for last.</summary>
    public required long LastSeen { get; set; }

    /// <summary>The card's picture, a JPEG.</summary>
    public byte[]? Picture { get; set; }
}

/// <summary>Asks the store of shared recipes every few seconds whether it is there, for /readyz.</summary>
internal sealed class ShareHealth(IDbContextFactory<ShareContext> contexts, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan Between = TimeSpan.FromSeconds(5), Patience = TimeSpan.FromSeconds(5);

    /// <summary>Why links cannot be kept and found now, in one sentence; null while they can.</summary>
    public string? Failure { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            Failure = await CanConnectAsync(stoppingToken) ? null : "The store of shared recipes cannot be reached.";
            await Task.Delay(Between, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> CanConnectAsync(CancellationToken stopping)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        patience.CancelAfter(Patience);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(patience.Token);
            return await context.Database.CanConnectAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            return stopping.IsCancellationRequested;
        }
    }
}
