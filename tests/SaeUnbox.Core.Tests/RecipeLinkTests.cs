using System.Buffers.Text;
using System.IO.Compression;
using System.Text;

namespace SaeUnbox.Core.Tests;

public class RecipeLinkTests
{
    private static readonly Recipe Plain = new() { Model = "mini", Prompt = "a dog" };

    [Fact]
    public void ToLink_PaintedRecipe_IsShortAndUrlSafe()
    {
        var disc = Enumerable.Range(0, 256).Select(i => Math.Pow((i / 16) - 8, 2) + Math.Pow((i % 16) - 8, 2) < 30 ? 1f : 0f);
        var mask = BrushMask.FromCells(16, 16, [.. disc]);
        var recipe = Plain with { Edits = [new(Site.Style, 4998, 10) { Mask = mask }] };

        var link = recipe.ToLink();

        Assert.Matches("^[A-Za-z0-9_-]+$", link);
        Assert.InRange(link.Length, 100, 400);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not base64!")]
    [InlineData("AAAA")]
    [InlineData("_____")]
    public void RestoreLink_Broken_Throws(string link)
    {
        Assert.Throws<RecipeException>(() => Recipe.RestoreLink(link, Plain));
    }

    [Fact]
    public void RestoreLink_CutShort_Throws()
    {
        var link = Plain.ToLink();

        for (var length = 0; length < link.Length - 2; length++)
            Assert.Throws<RecipeException>(() => Recipe.RestoreLink(link[..length], Plain));
    }

    [Fact]
    public void RestoreLink_Bomb_IsRefused()
    {
        var bomb = Deflate(new string(' ', RecipeLimits.MaxJsonLength + 1));

        Assert.InRange(bomb.Length, 1, RecipeLimits.MaxLinkLength);
        Assert.Contains("is more than 2097152 bytes long", Assert.Throws<RecipeException>(() => Recipe.RestoreLink(bomb, Plain)).Message);
    }

    [Fact]
    public void RestoreLink_LongerThanAllowed_IsRefused()
    {
        var link = new string('A', RecipeLimits.MaxLinkLength + 1);

        Assert.Contains("characters long", Assert.Throws<RecipeException>(() => Recipe.RestoreLink(link, Plain)).Message);
    }

    [Fact]
    public void RestoreLink_OldRecipe_KeepsWhatItCanAndNamesTheRest()
    {
        var link = Deflate(
            """
            {"version":1,"model":"mini","prompt":"a cat","seed":7,"steps":1,"guidance":-3,"width":512,"height":512,"sampler":"lcm",
             "edits":[{"site":"mid.0","feature":1,"strength":1},{"site":"mid.0","feature":1,"strength":99},
                      {"site":"up.0.1","feature":2,"strength":-5}],
             "interventions":[{"kind":"erase","site":"mid.0"},{"kind":"ablate","site":"mid.0"}]}
            """);

        var (recipe, dropped) = Recipe.RestoreLink(link, Plain with { Guidance = 2, NegativePrompt = "not taken" });

        Assert.Equal(
            Plain with
            {
                Prompt = "a cat",
                Seed = 7,
                Guidance = 2,
                Edits = [new(Site.Middle, 1, 1), new(Site.Style, 2, -5)],
                Interventions = [new SiteIntervention.Ablate(Site.Middle)],
            },
            recipe);
        Assert.Equal(["guidance", "edits[1].strength", "interventions[0].kind", "'sampler'"], dropped.Select(error => error.Field));
    }

    [Fact]
    public void RestoreJson_NoFieldsOfARecipe_GivesTheDefaults()
    {
        Assert.Equal(Plain, Recipe.RestoreJson("{}", Plain).Recipe);
        Assert.Throws<RecipeException>(() => Recipe.RestoreJson("<html>", Plain));
    }

    [Fact]
    public void RestoreLink_AnyRecipe_DropsNothing()
    {
        Samples.ForAll(Samples.Recipes,
            recipe => Recipe.RestoreLink(recipe.ToLink(), Plain) is { Dropped.Count: 0 } restored && restored.Recipe == recipe, times: 50);
    }

    private static string Deflate(string json)
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.SmallestSize))
            deflate.Write(Encoding.UTF8.GetBytes(json));
        return Base64Url.EncodeToString(packed.ToArray());
    }
}
