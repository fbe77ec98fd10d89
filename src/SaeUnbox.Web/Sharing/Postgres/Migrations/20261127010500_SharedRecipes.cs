using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace SaeUnbox.Web.Sharing.Postgres.Migrations;

/// <summary>Recipes under short addresses.</summary>
[DbContext(typeof(PostgresShareContext)), Migration("20261127010500_SharedRecipes")]
internal sealed class SharedRecipes : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.CreateTable("Recipes", table => new
        {
            Id = table.Column<string>("character varying(22)", maxLength: 22, nullable: false),
            Hash = table.Column<string>("character varying(64)", maxLength: 64, nullable: false),
            Json = table.Column<string>("text", nullable: false),
            LastSeen = table.Column<long>("bigint", nullable: false),
            Picture = table.Column<byte[]>("bytea", nullable: true),
        }, constraints: table => table.PrimaryKey("PK_Recipes", recipe => recipe.Id));
        migrationBuilder.CreateIndex("IX_Recipes_Hash", "Recipes", "Hash", unique: true);
        migrationBuilder.CreateIndex("IX_Recipes_LastSeen", "Recipes", "LastSeen");
    }

    protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.DropTable("Recipes");
}
