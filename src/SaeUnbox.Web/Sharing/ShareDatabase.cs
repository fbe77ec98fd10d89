using System.Data.Common;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Sharing;

/// <summary>
/// Prepares the store before the first request: updates its schema and imports the recipes of another file, if configured.
/// </summary>
internal sealed partial class ShareDatabase(
    IDbContextFactory<ShareContext> contexts, IOptions<ShareOptions> options, ILogger<ShareDatabase> logger)
{
    private const int BatchSize = 500;

    /// <exception cref="IOException">
    /// The store or the imported file cannot be used. The message says which one and what to do, and contains no secret.
    /// </exception>
    public void Prepare()
    {
        var isSqlite = options.Value.Store == ShareStoreKind.Sqlite;
        var path = Path.GetFullPath(options.Value.File);
        var store = isSqlite ? $"The file of shared recipes, {path}," : $"The store of shared recipes, {options.Value.Server()},";
        var key = $"{ShareOptions.Section}:{(isSqlite ? nameof(ShareOptions.File) : nameof(ShareOptions.Connection))}";
        WithReason(store, $"fix it, or set {key} to another", () =>
        {
            if (isSqlite)
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var context = contexts.CreateDbContext();
            context.Database.Migrate();
        });
        if (options.Value.Import is { Length: > 0 } file)
            WithReason($"The file {Path.GetFullPath(file)}",
                $"set {ShareOptions.Section}:{nameof(ShareOptions.Import)} to a file of shared recipes", () => Import(file));
    }

    // Ids stay the same, and recipes that the store already has are skipped, so importing a file again does no harm.
    private void Import(string file)
    {
        var connection = new SqliteConnectionStringBuilder { DataSource = file, Mode = SqliteOpenMode.ReadOnly, Pooling = false };
        using var source = new ShareContext(
            new DbContextOptionsBuilder<ShareContext>().UseSqlite(connection.ConnectionString).Options);
        var (imported, all) = (0, 0);
        foreach (var batch in source.Recipes.AsNoTracking().OrderBy(recipe => recipe.Id).AsEnumerable().Chunk(BatchSize))
        {
            using var target = contexts.CreateDbContext();
            var (ids, hashes) = (batch.Select(recipe => recipe.Id).ToArray(), batch.Select(recipe => recipe.Hash).ToArray());
            var known = target.Recipes.Where(recipe => ids.Contains(recipe.Id) || hashes.Contains(recipe.Hash))
                .Select(recipe => new { recipe.Id, recipe.Hash }).ToArray();
            var added = batch.Where(recipe => !known.Any(one => one.Id == recipe.Id || one.Hash == recipe.Hash)).ToArray();
            target.Recipes.AddRange(added);
            target.SaveChanges();
            (imported, all) = (imported + added.Length, all + batch.Length);
        }
        Log.Imported(logger, imported, all, file);
    }

    private static void WithReason(string subject, string remedy, Action work)
    {
        try
        {
            work();
        }
        catch (Exception exception) when (exception is DbException or DbUpdateException or UnauthorizedAccessException or IOException
            or InvalidOperationException or System.Net.Sockets.SocketException)
        {
            var reason = (exception.InnerException ?? exception).Message.ReplaceLineEndings(" ");
            throw new IOException($"{subject} cannot be used ({reason}); {remedy}.", exception);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Imported {Imported} of {All} shared recipes from {File}; the others were in the store")]
        public static partial void Imported(ILogger logger, int imported, int all, string file);
    }
}

/// <summary>The tables of shared recipes. This class serves SQLite; <see cref="PostgresShareContext"/> derives from it.</summary>
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

    /// <summary>The recipe as canonical JSON.</summary>
    public required string Json { get; set; }

    /// <summary>When the recipe was shared or last opened, in seconds since 1970.</summary>
    public required long LastSeen { get; set; }

    /// <summary>The preview, a JPEG.</summary>
    public byte[]? Picture { get; set; }
}

/// <summary>Checks every few seconds whether the store of shared recipes can be reached, for /readyz.</summary>
internal sealed class ShareHealth(IDbContextFactory<ShareContext> contexts, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5), Timeout = TimeSpan.FromSeconds(5);

    /// <summary>Why the store cannot be used, in one sentence; null if it can.</summary>
    public string? Failure { get; private set; }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            Failure = await CanConnectAsync(stoppingToken) ? null : "The store of shared recipes cannot be reached.";
            await Task.Delay(Interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> CanConnectAsync(CancellationToken stopping)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        timeout.CancelAfter(Timeout);
        try
        {
            await using var context = await contexts.CreateDbContextAsync(timeout.Token);
            return await context.Database.CanConnectAsync(timeout.Token);
        }
        catch (OperationCanceledException)
        {
            return stopping.IsCancellationRequested;
        }
    }
}

/// <summary>Shared recipes in PostgreSQL, which several web nodes can use at once. Its column types need their own migrations.</summary>
internal sealed class PostgresShareContext(DbContextOptions<PostgresShareContext> options) : ShareContext(options);

internal sealed class PostgresShareContexts(IDbContextFactory<PostgresShareContext> contexts) : IDbContextFactory<ShareContext>
{
    public ShareContext CreateDbContext() => contexts.CreateDbContext();
}
