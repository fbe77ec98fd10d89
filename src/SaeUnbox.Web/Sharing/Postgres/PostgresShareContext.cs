using Microsoft.EntityFrameworkCore;

namespace SaeUnbox.Web.Sharing.Postgres;

/// <summary>Shared recipes in PostgreSQL, which several web nodes can use at once. Its column types need their own migrations.</summary>
internal sealed class PostgresShareContext(DbContextOptions<PostgresShareContext> options) : ShareContext(options);

internal sealed class PostgresShareContexts(IDbContextFactory<PostgresShareContext> contexts) : IDbContextFactory<ShareContext>
{
    public ShareContext CreateDbContext() => contexts.CreateDbContext();
}
