using SaeUnbox.Web.Components.Pages.Features;
using SaeUnbox.Web.Components.Shared;

namespace SaeUnbox.Web.Tests.Components;

public sealed class FeatureListTests
{
    private static readonly FeatureList Winter =
        new("Winter", [(Site.Composition, 62), (Site.Composition, 3), (Site.Style, 700)]);

    [Fact]
    public void Parse_Written_IsEqual()
    {
        Assert.Equal("down.2.1_62_3~up.0.1_700", Winter.Text);
        Assert.Equal(Winter, FeatureList.Parse("Winter", Winter.Text));
    }

    [Theory]
    [InlineData("")]
    [InlineData("~~_")]
    [InlineData("up.9.9.9_1~nowhere_2")]
    [InlineData("down.2.1_-1_x_99999999999_1.5_")]
    public void Parse_Nonsense_IsLeftOut(string text) => Assert.Empty(FeatureList.Parse("x", text).Features);

    [Fact]
    public void Parse_TheSameTwice_IsOnce() =>
        Assert.Equal([(Site.Composition, 1)], FeatureList.Parse("x", "down.2.1_1_1~down.2.1_1").Features);

    [Theory]
    [InlineData("Winter", true), InlineData("a", true), InlineData("Schnee & Eis", true)]
    [InlineData("", false), InlineData(" a", false), InlineData("a\nb", false), InlineData(null, false)]
    public void IsName_Text_IsShortAndPrints(string? name, bool expected)
    {
        Assert.Equal(expected, FeatureList.IsName(name));
        Assert.False(FeatureList.IsName(new string('a', FeatureList.MaxNameLength + 1)));
    }

    [Fact]
    public void ToCsv_NamesWithQuotes_AreQuoted()
    {
        var atlas = new ListAtlas((Site.Composition, 3, "a \"red\", house"));

        Assert.Equal("site,feature,name,words,mean,frequency\r\ndown.2.1,3,\"a \"\"red\"\", house\",\"\",1,\r\n",
            new FeatureList("x", [(Site.Composition, 3), (Site.Composition, 4)]).ToCsv(atlas));
    }

    [Fact]
    public void Read_BrokenStorage_KeepsTheFavourites()
    {
        foreach (var json in new[] { null, "", "{", "[1]", "[null]", """[{"Name":"\n","Features":""},{"Name":"a"},{"Features":"x"}]""" })
        {
            var lists = FeatureLists.Read("down.2.1:62 up.0.1:7", json);
            Assert.Equal([FeatureLists.Favourites], lists.All.Select(list => list.Name));
            Assert.Equal([(Site.Composition, 62), (Site.Style, 7)], lists.All[0].Features);
        }
    }

    [Fact]
    public void Set_Lists_AddsReplacesAndRemovesAllButTheFavourites()
    {
        var lists = FeatureLists.Read(null, null);
        lists.Set("Winter", Winter);
        Assert.Equal("Winter 2", lists.FreeName("Winter"));
        lists.Set("Winter", Winter with { Name = "Cold" });
        Assert.Equal([FeatureLists.Favourites, "Cold"], lists.All.Select(list => list.Name));
        lists.Set(FeatureLists.Favourites, Winter);
        lists.Set(FeatureLists.Favourites, null);
        lists.Set("Cold", null);

        Assert.Equal([FeatureLists.Favourites], lists.All.Select(list => list.Name));
        Assert.Equal(Winter.Features, lists.All[0].Features);
    }

    [Theory]
    [InlineData("0.25_0.5_4", 0.25, 0.5, 4)]
    [InlineData("0_0_1000", 0, 0, 24)]
    [InlineData("9_-9_0", 2, -1, 1)]
    [InlineData("NaN_0_2", 0, 0, 1), InlineData("a", 0, 0, 1), InlineData(null, 0, 0, 1)]
    public void MapView_Parse_IsBounded(string? text, double x, double y, double scale) =>
        Assert.Equal(new MapView(x, y, scale), MapView.Parse(text));
}
