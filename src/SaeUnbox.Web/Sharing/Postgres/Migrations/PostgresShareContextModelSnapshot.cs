using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace SaeUnbox.Web.Sharing.Postgres.Migrations;

/// <summary>The schema after all migrations; the next one starts from here.</summary>
[DbContext(typeof(PostgresShareContext))]
internal sealed class PostgresShareContextModelSnapshot : ModelSnapshot
{
    protected override void BuildModel(ModelBuilder modelBuilder)
    {
        modelBuilder.HasAnnotation("ProductVersion", "10.0.15").HasAnnotation("Relational:MaxIdentifierLength", 63);
        modelBuilder.Entity("SaeUnbox.Web.Sharing.SharedRecipe", recipe =>
        {
            recipe.Property<string>("Id").HasMaxLength(22).HasColumnType("character varying(22)");
            recipe.Property<string>("Hash").IsRequired().HasMaxLength(64).HasColumnType("character varying(64)");
            recipe.Property<string>("Json").IsRequired().HasColumnType("text");
            recipe.Property<long>("LastSeen").HasColumnType("bigint");
            recipe.Property<byte[]>("Picture").HasColumnType("bytea");
            recipe.HasKey("Id");
            recipe.HasIndex("Hash").IsUnique();
            recipe.HasIndex("LastSeen");
            recipe.ToTable("Recipes");
        });
    }
}
