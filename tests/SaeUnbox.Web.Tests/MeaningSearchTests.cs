using System.Text.Json;
using Microsoft.Data.Sqlite;
using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Web.Tests;

/// <summary>Searches with a CLIP model, here a tiny one.</summary>
public sealed class MeaningSearchTests(Browser browser) : IClassFixture<Browser>, IDisposable
{
    private const string NoCaptionHasIt = "zeppelin";
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task Search_ByMeaning_IsMarkedInTheApiAndOnThePage()
    {
        MakeAtlas();
        await using var studio = await StudioAsync(_folder.At("clip"));

        var found = await SearchAsync(studio, NoCaptionHasIt);
        Assert.True(found.GetProperty("total").GetInt32() > 0);
        Assert.All(found.GetProperty("hits").EnumerateArray(), hit => Assert.Equal("meaning", hit.GetProperty("by").GetString()));
        var both = (await SearchAsync(studio, "snow"))
            .GetProperty("hits")
            .EnumerateArray()
            .Select(hit => hit.GetProperty("by").GetString())
            .ToHashSet();
        Assert.Superset(new HashSet<string?> { "words", "meaning" }, both);

        var page = await browser.OpenAsync(studio);
        await page.Locator(".right input[type=search]").FillAsync(NoCaptionHasIt);
        await page.Locator(".right .row .chip", new() { HasText = "meaning" }).First.WaitForAsync();
    }

    [Fact]
    public async Task Search_FolderThatIsNotClip_SearchesWordsAndSaysWhy()
    {
        MakeAtlas();
        var broken = Directory.CreateDirectory(_folder.At("broken")).FullName;
        await using var studio = await StudioAsync(broken);

        var found = await SearchAsync(studio, "snow");

        Assert.All(found.GetProperty("hits").EnumerateArray(), hit => Assert.Equal("words", hit.GetProperty("by").GetString()));
        Assert.StartsWith("Only words were searched. The CLIP model cannot be used:", found.GetProperty("note").GetString());
    }

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _folder.Dispose();
    }

    private void MakeAtlas()
    {
        using var scope = torch.NewDisposeScope();
        TinyClip.Write(_folder.At("clip"));
        var atlas = Directory.CreateDirectory(_folder.At("atlas")).FullName;
        File.Copy(Path.Combine(EmbeddedModel.AtlasFolder, AtlasReader.FileName), Path.Combine(atlas, AtlasReader.FileName));
        using var clip = ClipModel.Load(_folder.At("clip"));
        AtlasEmbedding.Add(atlas, clip);
    }

    private Task<Studio> StudioAsync(string clip) =>
        Studio.OfAsync("--model", EmbeddedModel.ModelFolder, "--saes", EmbeddedModel.SaeFolder, "--atlas", _folder.At("atlas"), "--clip",
            clip);

    private static async Task<JsonElement> SearchAsync(Studio studio, string text)
    {
        var answer = await studio.Client.GetStringAsync($"/api/v1/models/default/features?text={text}");
        return JsonDocument.Parse(answer).RootElement.Clone();
    }
}
