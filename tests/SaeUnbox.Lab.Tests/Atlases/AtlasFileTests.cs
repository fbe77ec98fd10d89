using Microsoft.Data.Sqlite;
using SaeUnbox.Testing;
using static SaeUnbox.Lab.Tests.SmallAtlas;

namespace SaeUnbox.Lab.Tests;

public sealed class AtlasFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private string File => _folder.At(AtlasReader.FileName);

    [Fact]
    public void Open_WrittenAtlas_HasAllOfIt()
    {
        AtlasWriter.Write(File, Contents);
        var atlas = AtlasReader.Open(_folder.Path);

        Assert.Equal("tiny", atlas.Model);
        Assert.Equal([First, Second], atlas.Sites);
        foreach (var expected in Contents.Features)
        {
            var (site, number) = (expected.Statistics.Site, expected.Statistics.Feature);
            var card = atlas.Find(site, number)!;
            Assert.Equal((expected.Statistics, expected.Name), (card.Statistics, card.Name));
            Assert.Equal(expected.Words, card.Words);
            var tops = atlas.TopPictures(site, number);
            Assert.Equal(
                expected.Tops.Select(
                    top =>
                        (Contents.Images[top.Image].Caption, Contents.Images[top.Image].Seed, top.Mean, top.Heat)), tops.Select(
                            top => (top.Caption, top.Seed, top.Mean, top.Heat)));
            Assert.All(tops.Zip(expected.Tops),
                pair => Assert.Equal(Contents.Images[pair.Second.Image].Jpeg, atlas.Picture(pair.First.Picture)!.Bytes.ToArray()));
            Assert.Equal(expected.Similar.OrderByDescending(one => one.Cosine).Select(one => (one.Site, one.Feature, one.Cosine)),
                atlas.Similar(site, number).Select(one => (one.Card.Site, one.Card.Feature, one.Cosine)));
            Assert.Equal(expected.Place, atlas.Map(site)[number]);
            // Atlases of earlier versions have none.
            Assert.Equal(FeatureActivity.Unknown, atlas.Activity(site, number));
        }
        Assert.Equal(new SpriteTile("sprites/up.0.1.jpg", 8, 8, 8, 16, 16), atlas.Find(Second, 3)!.Thumbnail);
        Assert.Equal([8], atlas.Picture("sprites/up.0.1.jpg")!.Bytes.ToArray());
        Assert.True(atlas.Find(First, 2)!.IsDead);
        Assert.Equal(Contents.Suggestions, atlas.Suggestions);
        Assert.Equal([File], Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void SetFeatures_InAnAtlas_ReplacesNamesAndEffects()
    {
        AtlasWriter.Write(File, Contents);
        var effect = new FeatureEffect("cat", 6, .9, null);
        // Atlases of earlier versions have none.
        Assert.Null(AtlasReader.Open(_folder.Path).Find(First, 1)!.Effect);

        AtlasWriter.SetFeatures(File, [new(First, 0, "dog", new("dog", null, 0, .5)), new(First, 1, "lighthouse", effect)]);
        AtlasWriter.SetFeatures(File, [new(First, 0, null, null), new(First, 1, "lighthouse", effect), new(First, 4000, "none", effect)]);

        var atlas = AtlasReader.Open(_folder.Path);
        Assert.Equal(("lighthouse", effect), (atlas.Find(First, 1)!.Name, atlas.Find(First, 1)!.Effect));
        Assert.Equal((null, null), (atlas.Find(First, 0)!.Name, atlas.Find(First, 0)!.Effect));
        Assert.Equal((First, 1), Assert.Single(atlas.Search(new() { Text = "lighthouse" }).Hits
            .Select(hit => (hit.Card.Site, hit.Card.Feature))));
        Assert.Empty(atlas.Search(new() { Text = "dog" }).Hits);
    }

    [Fact]
    public void Picture_OfATile_IsThatPartOfTheSheet()
    {
        var pixels = new byte[16 * 16 * 3];
        for (var y = 0; y < 16; y++)
            for (var x = 0; x < 16; x++)
                pixels[(y * 16 + x) * 3 + (x < 8 ? 0 : 2)] = (byte)(y < 8 ? 240 : 120);
        AtlasWriter.Write(File,
            Contents with { Sprites = [new(First, 8, 2, 16, 16, Jpeg.Encode(new Picture(16, 16, 3, pixels), 95)), Contents.Sprites[1]] });
        var atlas = AtlasReader.Open(_folder.Path);

        foreach (var (feature, red, blue) in new[] { (0, 240, 0), (1, 0, 240), (3, 0, 120) })
        {
            Assert.Equal($"tiles/down.2.1/{feature}.jpg", atlas.Find(First, feature)!.Tile);
            var tile = Jpeg.Decode(atlas.Picture($"tiles/down.2.1/{feature}.jpg")!.Bytes.Span);
            Assert.Equal((8, 8), (tile.Width, tile.Height));
            for (var i = 0; i < 8 * 8 * 3; i += 3)
                Assert.True(Math.Abs(tile.Pixels[i] - red) < 40 && Math.Abs(tile.Pixels[i + 2] - blue) < 40,
                    $"feature {feature}: {tile.Pixels[i]}, {tile.Pixels[i + 2]}");
        }
        Assert.Null(atlas.Find(First, 2)!.Tile);
    }

    [Theory]
    [InlineData("tiles/down.2.1/2.jpg")] // has no picture
    [InlineData("tiles/down.2.1/4.jpg")]
    [InlineData("tiles/down.2.1/-1.jpg")]
    [InlineData("tiles/down.2.1/1.png")]
    [InlineData("tiles/nowhere/1.jpg")]
    [InlineData("tiles/up.0.1/1.jpg")] // whose sheet is no JPEG
    [InlineData("tiles/")]
    public void Picture_MissingTile_IsNull(string name)
    {
        AtlasWriter.Write(File, Contents);
        Assert.Null(AtlasReader.Open(_folder.Path).Picture(name));
    }

    [Fact]
    public void Find_Missing_IsNull()
    {
        AtlasWriter.Write(File, Contents);
        var atlas = AtlasReader.Open(_folder.Path);

        Assert.Null(atlas.Find(First, 4));
        Assert.Null(atlas.Find(First, -1));
        Assert.Null(atlas.Find(Site.Parse("mid.0"), 0));
        Assert.Null(atlas.Picture("images/99.jpg"));
        Assert.Null(atlas.Picture("../../etc/passwd"));
        Assert.Null(atlas.Picture("' OR 1=1 --"));
        Assert.Empty(atlas.Map(Site.Parse("mid.0")));
        Assert.Empty(atlas.TopPictures(First, 99));
    }

    [Fact]
    public void Write_OverAnAtlasInUse_ReplacesIt()
    {
        AtlasWriter.Write(File, Contents);
        var old = AtlasReader.Open(_folder.Path);
        AtlasWriter.Write(File, Contents with { Model = "other" });

        Assert.Equal("other", AtlasReader.Open(_folder.Path).Model);
        Assert.Equal("snow", old.Find(First, 0)!.Name);
    }

    [Fact]
    public void Write_NotWritable_SaysSoAndLeavesNothing()
    {
        var path = _folder.At("absent", AtlasReader.FileName);

        Assert.Contains(path, Assert.Throws<AtlasException>(() => AtlasWriter.Write(path, Contents)).Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder.Path));
    }

    [Fact]
    public void SetSuggestions_OfAnAtlas_ChangesOnlyThem()
    {
        AtlasWriter.Write(File, Contents);
        Suggestion[] other = [new("One", Contents.Suggestions[0].Recipe), new("Two", Contents.Suggestions[0].Recipe with { Seed = 1 })];

        AtlasWriter.SetSuggestions(File, other);

        var atlas = AtlasReader.Open(_folder.Path);
        Assert.Equal(other, atlas.Suggestions);
        Assert.Equal("snow", atlas.Find(First, 0)!.Name);
    }

    [Fact]
    public void Open_NoFile_NamesTheFolder() =>
        Assert.Contains(_folder.Path, Assert.Throws<AtlasException>(() => AtlasReader.Open(_folder.Path)).Message);

    [Theory]
    [InlineData("")]
    [InlineData("<html>not found</html>")]
    [InlineData("SQLite format 3\0 and then nothing of it")]
    public void Open_NoDatabase_ThrowsOneSentence(string text)
    {
        System.IO.File.WriteAllText(File, text);

        Assert.Contains(File, Assert.Throws<AtlasException>(() => AtlasReader.Open(_folder.Path)).Message);
    }

    [Theory]
    [InlineData("PRAGMA user_version = 7", "layout 7")]
    [InlineData("PRAGMA application_id = 1", "is not an atlas")]
    [InlineData("DROP TABLE features", "broken")]
    [InlineData("DELETE FROM features WHERE feature = 1", "missing")]
    [InlineData("UPDATE features SET site = '../x' WHERE site = 'up.0.1'", "broken")]
    [InlineData("UPDATE features SET feature = 'x' WHERE feature = 1", "missing")]
    [InlineData("UPDATE meta SET value = 'a b c d' WHERE key LIKE 'sprite%'", "broken")]
    [InlineData("UPDATE meta SET value = '8 99999999999 1 1' WHERE key LIKE 'sprite%'", "broken")]
    [InlineData("UPDATE suggestions SET recipe = '{\"strength\":'", "broken")]
    public void Open_ChangedByHand_ThrowsOneSentence(string sql, string reason)
    {
        AtlasWriter.Write(File, Contents);
        Execute(sql);

        var message = Assert.Throws<AtlasException>(() => AtlasReader.Open(_folder.Path)).Message;
        Assert.Contains(reason, message);
        Assert.Contains(File, message);
    }

    [Fact]
    public void Open_MutatedFiles_GiveAnAtlasOrAnAtlasException()
    {
        AtlasWriter.Write(File, Contents);
        var (whole, random, refused) = (System.IO.File.ReadAllBytes(File), new Random(1), 0);
        for (var i = 0; i < 150; i++)
        {
            var mutant = whole.ToArray();
            for (var changes = random.Next(1, 60); changes > 0; changes--)
                mutant[random.Next(mutant.Length)] = (byte)random.Next(256);
            System.IO.File.WriteAllBytes(File, mutant);
            try
            {
                var atlas = AtlasReader.Open(_folder.Path);
                atlas.Search(new FeatureQuery { Text = "snow" });
                atlas.TopPictures(First, 0);
                atlas.Similar(First, 1);
            }
            catch (AtlasException)
            {
                refused++;
            }
            SqliteConnection.ClearAllPools();
        }
        Assert.InRange(refused, 1, 149);
    }

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _folder.Dispose();
    }

    private void Execute(string sql)
    {
        using var connection =
            new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = File, Pooling = false }.ConnectionString);
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
