using Microsoft.EntityFrameworkCore;

namespace SaeUnbox.Web.Sharing.Postgres;

/// <summary>The store of shared recipes in PostgreSQL, which several web nodes may use at once. It has migrations of its own: types differ.</summary>
internal sealed class PostgresShareContext(DbContextOptions<PostgresShareContext> options) : ShareContext(options);

/// <summary>Makes the contexts that the store asks for.</summary>
internal sealed class PostgresShareContexts(IDbContextFactory<PostgresShareContext> contexts) : IDbContextFactory<ShareContext>
{
    public ShareContext CreateDbContext() => contexts.CreateDbContext();
}
