using Microsoft.EntityFrameworkCore;

namespace SaeUnbox.Web.Sharing;

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
