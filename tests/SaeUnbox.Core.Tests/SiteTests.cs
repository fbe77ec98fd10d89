using System.Text.Json;

namespace SaeUnbox.Core.Tests;

public class SiteTests
{
    [Theory]
    [InlineData("down.2.1", "unet.down_blocks.2.attentions.1")]
    [InlineData("text.9", "text_encoder.text_model.encoder.layers.9")]
    [InlineData("mid.0", "unet.mid_block.attentions.0")]
    [InlineData("up.0.0", "unet.up_blocks.0.attentions.0")]
    [InlineData("up.1.2", "unet.up_blocks.1.attentions.2")]
    public void Parse_CodeOrModulePath_GivesTheSameSite(string code, string path)
    {
        var site = Site.Parse(code);

        Assert.Equal((code, path), (site.Code, site.ModulePath));
        Assert.True(Site.TryParseModulePath(path, out var byPath));
        Assert.Equal(site, byPath);
    }

    [Theory]
    [InlineData("")]
    [InlineData("down")]
    [InlineData("down.2")]
    [InlineData("down.2.1.0")]
    [InlineData("mid.0.0")]
    [InlineData("Down.2.1")]
    [InlineData("down.02.1")]
    [InlineData("down.+2.1")]
    [InlineData("down. 2.1")]
    [InlineData("down.-2.1")]
    [InlineData("down.100.1")]
    [InlineData("down.٢.1")]
    [InlineData("unet.down_blocks.2.attentions.1")]
    public void Parse_OtherText_ShowsTheForm(string text)
    {
        var error = Assert.Throws<FormatException>(() => Site.Parse(text));

        Assert.Contains($"'{text}'", error.Message);
        Assert.Contains("down.2.1", error.Message);
    }

    [Fact]
    public void Order_OfSites_FollowsTheUNet()
    {
        string[] walk = [
            "text.2",
            "text.10",
            "down.1.0",
            "down.1.1",
            "down.2.0",
            "down.2.1",
            "mid.0",
            "up.0.0",
            "up.0.1",
            "up.0.2",
            "up.1.0",
            "up.10.0"
        ];

        var sorted = walk.Reverse().Select(Site.Parse).Order().Select(site => site.Code);

        Assert.Equal(walk, sorted);
    }

    [Fact]
    public void Named_Sites_AreTheFourOfTheDemo() =>
        Assert.Equal(["down.2.1", "mid.0", "up.0.0", "up.0.1"], Site.Named.Select(site => site.Code));

    [Fact]
    public void Json_OfASite_IsItsCode()
    {
        var json = JsonSerializer.Serialize(new[] { Site.Style });

        Assert.Equal("[\"up.0.1\"]", json);
        Assert.Equal([Site.Style], JsonSerializer.Deserialize<Site[]>(json)!);
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Site[]>("[\"nowhere\"]"));
        Assert.Throws<JsonException>(() => JsonSerializer.Deserialize<Site[]>("[3]"));
    }
}
