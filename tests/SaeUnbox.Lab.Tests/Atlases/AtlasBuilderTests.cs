using SaeUnbox.Testing;

namespace SaeUnbox.Lab.Tests.Atlases;

public sealed class AtlasBuilderTests(GoldenModel golden) : IClassFixture<GoldenModel>, IDisposable
{
    private const string Run = "turbo1";
    private readonly TemporaryFolder _folder = new();

    private LoadedModel Model => golden.For(Run);

    private static AtlasRequest Request => new()
    {
        Captions = [.. new[]
        {
            "a dog on snow",
            "a dog at night",
            "boats at sea",
            "a cat on snow",
            "a house"
        }.Select((text, i) => new Caption(text, 10 + i))],
        TopPictures = 2,
        PictureSide = 40,
        TileSide = 16,
        Neighbours = 2,
    };

    [Fact]
    public void Run_OverCaptions_KeepsTheStrongestPicturesOfAFeature()
    {
        AtlasBuilder.Run(Model, Request, _folder.Path);
        var atlas = AtlasReader.Open(_folder.Path);
        using var runner = new RecipeRunner(Model);
        var maps = Request.Captions.Select(caption => runner.Run(Model.Info.NewRecipe(caption.Text) with { Seed = caption.Seed },
            new RunRequest { Read = [.. Model.Saes.Keys], Picture = false }).Maps)
            .ToArray();

        foreach (var site in Model.Saes.Keys)
        {
            var means = maps
                .Select(map => map.Find(site)!)
                .Select(map => Enumerable.Range(0, map.Features).Select(feature => map.Map(feature).Average()).ToArray())
                .ToArray();
            for (var feature = 0; feature < means[0].Length; feature += 7)
            {
                var expected = Enumerable
                    .Range(0, means.Length)
                    .Where(i => means[i][feature] > 0)
                    .OrderByDescending(i => means[i][feature])
                    .Take(2)
                    .ToArray();
                var tops = atlas.TopPictures(site, feature);
                Assert.Equal(expected.Select(i => (Request.Captions[i].Text, (long?)Request.Captions[i].Seed)),
                    tops.Select(top => (top.Caption, top.Seed)));
                Assert.All(tops.Zip(expected), pair => Assert.Equal(means[pair.Second][feature], pair.First.Mean, 1e-4));
                Assert.All(tops, top => Assert.Equal(40, Picture.Decode(atlas.Picture(top.Picture)!.Bytes.Span).Width));
                Assert.Equal(expected.Length > 0, atlas.Find(site, feature)!.Thumbnail is not null);
                Assert.InRange(atlas.Similar(site, feature).Count, 2, 8);
            }
        }
    }

    [Fact]
    public void Run_StoppedAndRestarted_GivesTheSameAtlas()
    {
        AtlasBuilder.Run(Model, Request, _folder.At("straight"));
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => AtlasBuilder.Run(Model, Request, _folder.At("broken"),
            done =>
            {
                if (done == 2)
                    cancellation.Cancel();
            }, cancellation.Token));
        Assert.False(File.Exists(_folder.At("broken", AtlasReader.FileName)));

        var first = 0;
        AtlasBuilder.Run(Model, Request, _folder.At("broken"), done => first = first == 0 ? done : first);

        Assert.Equal(3, first);
        SameAtlases();
    }

    [Fact]
    public void Run_FinishedThenMoreCaptions_GivesTheSameAtlas()
    {
        AtlasBuilder.Run(Model, Request, _folder.At("straight"));
        AtlasBuilder.Run(Model, Request with { Captions = [.. Request.Captions.Take(3)] }, _folder.At("broken"));

        var first = 0;
        AtlasBuilder.Run(Model, Request, _folder.At("broken"), done => first = first == 0 ? done : first);

        Assert.Equal(4, first);
        SameAtlases();
    }

    private void SameAtlases()
    {
        var (straight, again) = (AtlasReader.Open(_folder.At("straight")), AtlasReader.Open(_folder.At("broken")));
        foreach (var site in straight.Sites)
            for (var feature = 0; straight.Find(site, feature) is { } card; feature++)
            {
                Assert.Equal(card, again.Find(site, feature));
                Assert.Equal(straight.TopPictures(site, feature), again.TopPictures(site, feature));
            }
    }

    [Fact]
    public void Run_OtherStoppedRequestInTheFolder_IsRefusedAndKept()
    {
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => AtlasBuilder.Run(Model, Request, _folder.Path,
            done =>
            {
                if (done == 2)
                    cancellation.Cancel();
            }, cancellation.Token));

        using var other = OtherWeights.Load(_folder.At("other"), Run);
        Assert.Contains("not the first", Refused(Model, Request with { Captions = [.. Request.Captions.Skip(1)] }));
        Assert.Contains("not the first", Refused(Model, Request with { Captions = [.. Request.Captions.Take(1)] }));
        Assert.Contains("other options", Refused(Model, Request with { TopPictures = 1 }));
        Assert.Contains("another model", Refused(other, Request));

        var first = 0;
        AtlasBuilder.Run(Model, Request, _folder.Path, done => first = first == 0 ? done : first);
        Assert.Equal(3, first);

        string Refused(LoadedModel model, AtlasRequest request) =>
            Assert.Throws<AtlasException>(() => AtlasBuilder.Run(model, request, _folder.Path)).Message;
    }

    [Fact]
    public void Run_FolderInUse_IsRefused()
    {
        using var alone = FolderLock.Take(_folder.Path);

        Assert.Contains("under way", Assert.Throws<CheckpointException>(() => AtlasBuilder.Run(Model, Request, _folder.Path)).Message);
    }

    [Fact]
    public void Run_BrokenState_NamesTheFile()
    {
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => AtlasBuilder.Run(Model, Request, _folder.Path,
            done =>
            {
                if (done == 2)
                    cancellation.Cancel();
            }, cancellation.Token));
        var state = Directory.GetFiles(_folder.Path).Single();
        File.WriteAllBytes(state, File.ReadAllBytes(state)[..^40]);

        Assert.Contains(state, Assert.Throws<AtlasException>(() => AtlasBuilder.Run(Model, Request, _folder.Path)).Message);
    }

    [Fact]
    public void Import_PublishedFolder_TakesEveryPicture()
    {
        var site = Model.Saes.Keys.First();
        Directory.CreateDirectory(_folder.At("published", site.Code));
        foreach (var feature in new[] { 0, 5 })
            File.WriteAllBytes(_folder.At("published", site.Code, $"{feature}.jpg"),
                Jpeg.Encode(new Picture(64, 32, 3, new byte[64 * 32 * 3])));

        AtlasImport.Run(Model, Request with { Captions = [] }, _folder.At("published"), _folder.At("atlas"));

        var atlas = AtlasReader.Open(_folder.At("atlas"));
        Assert.Equal((40, 20),
            Picture.Decode(atlas.Picture(atlas.TopPictures(site, 5).Single().Picture)!.Bytes.Span) is var picture
                ? (picture.Width, picture.Height)
                : default);
        Assert.Empty(atlas.TopPictures(site, 1));
        Assert.Equal(Model.Saes[site].MeanOf(5), atlas.Find(site, 5)!.Statistics.Mean, 1e-6);
        Assert.InRange(atlas.Similar(site, 1).Count, 2, 8);
        Assert.Equal([0, 5], atlas.Map(site).Select(place => place.Feature).Order());
    }

    [Fact]
    public void Import_NotAnAtlas_SaysWhatItIs()
    {
        var site = Model.Saes.Keys.First();
        Directory.CreateDirectory(_folder.At("published", site.Code));
        Assert.Contains("holds no pictures", Assert.Throws<AtlasException>(Import).Message);
        File.WriteAllText(_folder.At("published", site.Code, "3.jpg"), "<html>");
        Assert.Contains("3.jpg", Assert.Throws<AtlasException>(Import).Message);
        Assert.False(File.Exists(_folder.At("atlas", AtlasReader.FileName)));

        void Import() => AtlasImport.Run(Model, Request with { Captions = [] }, _folder.At("published"), _folder.At("atlas"));
    }

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Dispose();
    }
}
