using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;

namespace SaeUnbox.Web.Sharing.Migrations;

/// <summary>Recipes under short addresses.</summary>
[DbContext(typeof(ShareContext)), Migration("20261126213404_SharedRecipes")]
internal sealed class SharedRecipes : Migration
{
    protected override void Up(MigrationBuilder migrationBuilder)
    {
        migrationBuilder.CreateTable("Recipes", table => new
        {
            Id = table.Column<string>("TEXT", maxLength: 22, nullable: false),
            Hash = table.Column<string>("TEXT", maxLength: 64, nullable: false),
            Json = table.Column<string>("TEXT", nullable: false),
            LastSeen = table.Column<long>("INTEGER", nullable: false),
            Picture = table.Column<byte[]>("BLOB", nullable: true),
        }, constraints: table => table.PrimaryKey("PK_Recipes", recipe => recipe.Id));
        migrationBuilder.CreateIndex("IX_Recipes_Hash", "Recipes", "Hash", unique: true);
        migrationBuilder.CreateIndex("IX_Recipes_LastSeen", "Recipes", "LastSeen");
    }

    protected override void Down(MigrationBuilder migrationBuilder) => migrationBuilder.DropTable("Recipes");
}
