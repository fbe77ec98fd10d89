using Microsoft.Data.Sqlite;
using SaeUnbox.Testing;
using static SaeUnbox.Lab.Tests.SmallAtlas;

namespace SaeUnbox.Lab.Tests;

public sealed class EmbeddingTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Colours _colours = new(new()
    {
        [FeatureEmbeddings.ProbeText] = [.6f, .8f, 0],
        ["white"] = [1, 0, 0],
        ["snow"] = [1, 0, 0],
        ["red"] = [0, 1, 0],
    });

    public EmbeddingTests()
    {
        AtlasWriter.Write(Path, Contents);
        AtlasWriter.SetEmbeddings(Path, new(_colours.Embed(FeatureEmbeddings.ProbeText),
            [new(First, 0, [1, 0, 0]), new(First, 1, [0, 1, 0]), new(First, 3, [.6f, .8f, 0]), new(Second, 1, [.8f, 0, .6f])]));
    }

    private string Path => _folder.At(AtlasReader.FileName);

    [Fact]
    public void Search_WordOfNoCaption_RanksByCosine()
    {
        var hits = AtlasReader.Open(_folder.Path, _colours).Search(new() { Text = "white" });

        Assert.Equal("down.2.1 0, up.0.1 1, down.2.1 3, down.2.1 1", Found(hits));
        Assert.All(hits.Hits, hit => Assert.Equal((null, FoundBy.Meaning), (hit.Match, hit.By)));
    }

    [Fact]
    public void Search_OfOneSite_LeavesOthersOut() =>
        Assert.Equal("up.0.1 1", Found(AtlasReader.Open(_folder.Path, _colours).Search(new() { Text = "white", Site = Second })));

    [Fact]
    public void Search_WordOfCaptionsToo_MergesBothRankings()
    {
        var words = AtlasReader.Open(_folder.Path).Search(new() { Text = "snow" }).Hits.Select(Key).ToArray();
        string[] near = ["down.2.1 0", "up.0.1 1", "down.2.1 3", "down.2.1 1"];
        var expected = words.Union(near).OrderByDescending(key => Share(words, key) + Share(near, key)).ToArray();

        var hits = AtlasReader.Open(_folder.Path, _colours).Search(new() { Text = "snow" });

        Assert.Equal(expected.Length, hits.Total);
        Assert.Equal(expected.Select(key => Share(words, key) + Share(near, key)),
            hits.Hits.Select(hit => Share(words, Key(hit)) + Share(near, Key(hit))));
        Assert.Contains("snow", hits.Hits[0].Match, StringComparison.OrdinalIgnoreCase);
        Assert.All(hits.Hits,
            hit => Assert.Equal((words.Contains(Key(hit)), near.Contains(Key(hit))),
                (hit.By is FoundBy.Words or FoundBy.Both, hit.By is FoundBy.Meaning or FoundBy.Both)));

        static double Share(string[] list, string key) => Array.IndexOf(list, key) is >= 0 and var rank ? 1 / (61.0 + rank) : 0;
    }

    [Fact]
    public void Search_WithoutAnEmbedder_SearchesWords()
    {
        var atlas = AtlasReader.Open(_folder.Path);
        Assert.False(atlas.HasEmbeddings);
        Assert.Equal(0, atlas.Search(new() { Text = "white" }).Total);
    }

    [Fact]
    public void Open_AtlasWithoutEmbeddings_SearchesByWords()
    {
        AtlasWriter.Write(Path, Contents);
        Assert.False(AtlasReader.Open(_folder.Path, _colours).HasEmbeddings);
    }

    [Fact]
    public void Open_OtherModel_SaysSo()
    {
        var other = new Colours(new() { [FeatureEmbeddings.ProbeText] = [.8f, .6f, 0] });
        Assert.Contains("another model", Assert.Throws<AtlasException>(() => AtlasReader.Open(_folder.Path, other)).Message);
        Assert.Contains("another model",
            Assert.Throws<AtlasException>(() => AtlasReader.Open(_folder.Path,
                new Colours(new() { [FeatureEmbeddings.ProbeText] = [1] }))).Message);
    }

    [Fact]
    public void Search_LazyEmbedder_IsCreatedOnceForTexts()
    {
        var made = 0;
        var atlas = AtlasReader.Open(_folder.Path, () =>
        {
            made++;
            return _colours;
        });
        Assert.True(atlas.HasEmbeddings);
        Assert.Equal(7, atlas.Search(new()).Total);
        Assert.Equal(0, made);

        Assert.Equal("down.2.1 0, up.0.1 1, down.2.1 3, down.2.1 1", Found(atlas.Search(new() { Text = "white" })));
        Assert.Null(atlas.Search(new() { Text = "snow" }).Note);
        Assert.Equal(1, made);
    }

    [Fact]
    public void Search_UnusableEmbedder_SearchesWordsAndSaysWhy()
    {
        var broken = AtlasReader.Open(_folder.Path, () => throw new AtlasException("The folder is empty.")).Search(new() { Text = "snow" });
        var other = AtlasReader.Open(_folder.Path, () => new Colours(new() { [FeatureEmbeddings.ProbeText] = [.8f, .6f, 0] }))
            .Search(new() { Text = "snow" });

        Assert.Equal("Only words were searched. The folder is empty.", broken.Note);
        Assert.Contains("another model", other.Note);
        Assert.Equal(Found(AtlasReader.Open(_folder.Path).Search(new() { Text = "snow" })), Found(broken));
        Assert.All(broken.Hits, hit => Assert.Equal(FoundBy.Words, hit.By));
    }

    [Fact]
    public void SetEmbeddings_Again_ReplacesThem()
    {
        AtlasWriter.SetEmbeddings(Path, new(_colours.Embed(FeatureEmbeddings.ProbeText), [new(First, 1, [1, 0, 0])]));
        Assert.Equal("down.2.1 1", Found(AtlasReader.Open(_folder.Path, _colours).Search(new() { Text = "white" })));
    }

    [Fact]
    public void Open_VectorCutShort_IsABrokenFile()
    {
        using (var connection = new SqliteConnection($"Data Source={Path}"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "UPDATE embeddings SET vector = x'0011'";
            command.ExecuteNonQuery();
        }
        Assert.Contains("is broken", Assert.Throws<AtlasException>(() => AtlasReader.Open(_folder.Path, _colours)).Message);
    }

    public void Dispose()
    {
        SqliteConnection.ClearAllPools();
        _folder.Dispose();
    }

    private static string Found(FeatureHits hits) => string.Join(", ", hits.Hits.Select(Key));

    private static string Key(FeatureHit hit) => $"{hit.Card.Site} {hit.Card.Feature}";

    private sealed class Colours(Dictionary<string, float[]> vectors) : ITextEmbedder
    {
        public float[] Embed(string text) => vectors[text];
    }
}
