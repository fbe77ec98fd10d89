using Microsoft.Data.Sqlite;
using SaeUnbox.Testing;
using static SaeUnbox.Lab.Tests.SmallAtlas;

namespace SaeUnbox.Lab.Tests;

public sealed class SearchTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly AtlasReader _atlas;

    public SearchTests()
    {
        AtlasWriter.Write(_folder.At(AtlasReader.FileName), Contents);
        _atlas = AtlasReader.Open(_folder.Path);
    }

    [Theory]
    [InlineData("house", "down.2.1 1")]
    [InlineData("hou", "down.2.1 1")]
    [InlineData("HOUSE Roof", "down.2.1 1")]
    [InlineData("moon", "up.0.1 0")]
    [InlineData("größer", "up.0.1 2")]
    [InlineData("grösser", "")]
    [InlineData("dragon", "")]
    public void Search_SeveralWords_FindsFeaturesWithAllOfThem(string text, string expected) =>
        Assert.Equal(expected, Found(new() { Text = text }));

    [Fact]
    public void Search_WordInNamesAndCaptions_LeavesOutCaptions()
    {
        var hits = _atlas.Search(new() { Text = "snow" });

        // Every picture's caption has "a snowy field" or stands beside it; these two are about snow.
        Assert.Equal([(First, 0), (Second, 1)], hits.Hits.Select(hit => (hit.Card.Site, hit.Card.Feature)));
        Assert.Equal(2, hits.Total);
        Assert.All(hits.Hits, hit => Assert.Contains("snow", hit.Match, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public void Search_WordInCaptionsAlone_FindsThem()
    {
        var hits = _atlas.Search(new() { Text = "field" });

        Assert.Equal(7, hits.Total);
        Assert.All(hits.Hits, hit => Assert.Contains("field", hit.Match, StringComparison.Ordinal));
    }

    [Fact]
    public void Search_BeginningOfAWord_FindsTheWord() => Assert.Equal("up.0.1 1", Found(new() { Text = "snowm" }));

    [Fact]
    public void Search_AmongSomeFeatures_FindsNoOthers()
    {
        var only = new HashSet<(Site, int)> { (First, 0), (First, 2), (Second, 2) };

        Assert.Equal("down.2.1 0, down.2.1 2, up.0.1 2", Found(new() { Only = only, Sort = FeatureSort.Number }));
        Assert.Equal("down.2.1 0", Found(new() { Only = only, Text = "snow" }));
    }

    [Fact]
    public void Search_NamesMatch_RanksTheMostActiveFirst()
    {
        AtlasWriter.Write(_folder.At(AtlasReader.FileName),
            Contents with
            {
                Features = [.. Contents.Features.Select(one => one.Statistics.Feature == 0 ? one with { Name = "sea" } : one)]
            });
        var atlas = AtlasReader.Open(_folder.Path);

        var hits = atlas.Search(new() { Text = "Sea" }).Hits;

        // The third is called so in part, and has it among its words.
        Assert.Equal([(Second, 0), (First, 0), (First, 3)], hits.Take(3).Select(hit => (hit.Card.Site, hit.Card.Feature)));
    }

    [Theory]
    [InlineData("3", "down.2.1 3, up.0.1 3")]
    [InlineData("12", "")]
    public void Search_Number_FindsFeaturesThatBeginWithIt(string text, string expected) =>
        Assert.Equal(expected, Found(new() { Text = text, Sort = FeatureSort.Number }));

    [Theory]
    [InlineData(FeatureSort.Frequency, "up.0.1 0, down.2.1 0, down.2.1 3, down.2.1 1, up.0.1 1, up.0.1 2, up.0.1 3")]
    [InlineData(FeatureSort.Max, "down.2.1 0, up.0.1 1, down.2.1 3, up.0.1 3, down.2.1 1, up.0.1 2, up.0.1 0")]
    [InlineData(FeatureSort.Number, "down.2.1 0, up.0.1 0, down.2.1 1, up.0.1 1, up.0.1 2, down.2.1 3, up.0.1 3")]
    public void Search_EmptyQuery_ListsAllLiveFeatures(FeatureSort sort, string expected) =>
        Assert.Equal(expected, Found(new() { Text = "  ", Sort = sort }));

    [Fact]
    public void Search_OneSiteWithDeadOnes_ListsAll() => Assert.Equal(4, _atlas.Search(new() { Site = First, Dead = true }).Total);

    [Fact]
    public void Search_Page_IsPartOfTheWhole()
    {
        var all = Found(new() { Sort = FeatureSort.Max, Limit = 100 }).Split(", ");
        var page = _atlas.Search(new() { Sort = FeatureSort.Max, Offset = 2, Limit = 3 });

        Assert.Equal(all.Length, page.Total);
        Assert.Equal(all[2..5], page.Hits.Select(hit => $"{hit.Card.Site} {hit.Card.Feature}"));
        Assert.Empty(_atlas.Search(new() { Offset = 99 }).Hits);
    }

    // What means something to the search engine or to SQL is plain text here.
    [Theory]
    [InlineData("\"")]
    [InlineData("\"waves\"")]
    [InlineData("name:snow")]
    [InlineData("snow OR house")]
    [InlineData("NEAR(snow house)")]
    [InlineData("snow*")]
    [InlineData("-snow")]
    [InlineData("^snow")]
    [InlineData("' OR 1=1; DROP TABLE features; --")]
    [InlineData("( {")]
    [InlineData("*")]
    [InlineData("\0")]
    [InlineData("a b c d e f g h i j k l m n o p q r s t u v w x y z")]
    public void Search_OtherScripts_AreWords(string text)
    {
        var hits = _atlas.Search(new() { Text = text });

        Assert.InRange(hits.Total, 0, 8);
        Assert.Equal(7, _atlas.Search(new()).Total);
    }

    [Fact]
    public void Search_ByManyAtOnce_IsSafe() =>
        Parallel.For(0, 200, i => Assert.Equal(1, _atlas.Search(new() { Text = i % 2 == 0 ? "house" : "moon" }).Total));

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _folder.Dispose();
    }

    private string Found(FeatureQuery query) =>
        string.Join(", ", _atlas.Search(query).Hits.Select(hit => $"{hit.Card.Site} {hit.Card.Feature}"));
}
