using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;

namespace SaeUnbox.Web.Sharing.Migrations;

/// <summary>The schema after all migrations; the next one starts from here.</summary>
[DbContext(typeof(ShareContext))]
internal sealed class ShareContextModelSnapshot : ModelSnapshot
{
    protected override void BuildModel(ModelBuilder modelBuilder)
    {
        modelBuilder.HasAnnotation("ProductVersion", "10.0.15");
        modelBuilder.Entity("SaeUnbox.Web.Sharing.SharedRecipe", recipe =>
        {
            recipe.Property<string>("Id").HasMaxLength(22).HasColumnType("TEXT");
            recipe.Property<string>("Hash").IsRequired().HasMaxLength(64).HasColumnType("TEXT");
            recipe.Property<string>("Json").IsRequired().HasColumnType("TEXT");
            recipe.Property<long>("LastSeen").HasColumnType("INTEGER");
            recipe.Property<byte[]>("Picture").HasColumnType("BLOB");
            recipe.HasKey("Id");
            recipe.HasIndex("Hash").IsUnique();
            recipe.HasIndex("LastSeen");
            recipe.ToTable("Recipes");
        });
    }
}
