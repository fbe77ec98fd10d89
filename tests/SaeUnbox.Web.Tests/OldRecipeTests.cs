using System.Text;

namespace SaeUnbox.Web.Tests;

/// <summary>A picture that was saved with version 1 of recipes, in which overlapping layers add up.</summary>
public sealed class OldRecipeTests
{
    // Processors differ in the last digits of a sum.
    private const int Rounding = 2;

    [Fact]
    public async Task SavedPicture_OfVersion1_KeepsItsPixelsAndANewerRuleChangesThem()
    {
        var file = await File.ReadAllBytesAsync(
            Path.Combine(AppContext.BaseDirectory, "recipe-version-1.png"), TestContext.Current.CancellationToken);
        var json = Png.FindText(file, Recipe.PngKeyword)!;
        await using var studio = await Studio.OfAsync("--dtype", "fp32");

        var (saved, again) = (Picture.Decode(file), await PictureAsync(studio, json));
        var covered = await PictureAsync(studio, (Recipe.FromJson(json) with { Overlap = Overlap.Cover }).ToJson());

        Assert.Contains("\"version\":1", json);
        Assert.InRange(LargestChange(saved, again), 0, Rounding);
        Assert.True(LargestChange(saved, covered) > 20 * Rounding, "layers that cover each other look like layers that add up");
    }

    private static async Task<Picture> PictureAsync(Studio studio, string json)
    {
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        var answer = await studio.Client.PostAsync("/api/v1/generate", body, TestContext.Current.CancellationToken);
        return Picture.Decode(await answer.Content.ReadAsByteArrayAsync(TestContext.Current.CancellationToken));
    }

    private static int LargestChange(Picture one, Picture other) =>
        one.Pixels.ToArray().Zip(other.Pixels.ToArray(), (a, b) => Math.Abs(a - b)).Max();
}
