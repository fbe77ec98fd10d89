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
        LeastCosine = SimilarFeature.LeastCosine / 2,
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
                Assert.InRange(atlas.Similar(site, feature).Count, 0, 8);
                Assert.All(atlas.Similar(site, feature), other => Assert.InRange(other.Cosine, SimilarFeature.LeastCosine, 1));
            }
        }
        Assert.Contains(Model.Saes.Keys, site => atlas.Similar(site, 0).Count > 1);
    }

    [Fact]
    public void Run_OverCaptions_CountsHowFeaturesAreActive()
    {
        var request = Request with
        {
            Captions = [.. Enumerable.Range(0, 9).Select(i => Request.Captions[i % 5] with { Seed = 40 + i })],
            SampledPictures = 2,
        };
        AtlasBuilder.Run(Model, request, _folder.Path);
        var atlas = AtlasReader.Open(_folder.Path);
        using var runner = new RecipeRunner(Model);
        var maps = request.Captions.Select(caption => runner.Run(Model.Info.NewRecipe(caption.Text) with { Seed = caption.Seed },
            new RunRequest { Read = [.. Model.Saes.Keys], Picture = false }).Maps)
            .ToArray();
        var means = Model.Saes.Keys.SelectMany(site => Enumerable.Range(0, Model.Saes[site].Features).Select(feature =>
            (Key: (site, feature), Means: maps.Select(map => (double)map.Find(site)!.Map(feature).Average()).ToArray())))
            .ToDictionary(one => one.Key, one => one.Means);

        var (random, weak, together) = (0, 0, 0);
        foreach (var ((site, feature), own) in means)
        {
            var activity = atlas.Activity(site, feature);
            var cells = maps.SelectMany(map => map.Find(site)!.Map(feature)).Where(value => value > 0).ToArray();
            Assert.Equal(cells.Length, activity.Histogram?.Counts.Sum() ?? 0);
            if (cells.Length > 0)
            {
                Assert.InRange(cells.Min(), ActivationHistogram.BoundOf(activity.Histogram!.First) * .999,
                    ActivationHistogram.BoundOf(activity.Histogram.First + 1) * 1.001);
                Assert.True(activity.Histogram.Counts[^1] > 0, "the last bin is empty");
            }
            var seen = activity.Random.Concat(activity.Weak).ToArray();
            Assert.All(seen, one => Assert.InRange(one.Mean, 0, own.Max() + 1e-3));
            Assert.Equal(seen.Length, seen.DistinctBy(one => one.Seed).Count());
            Assert.Equal(Math.Min(2, own.Count(value => value > 0)), activity.Random.Count);
            foreach (var other in activity.Together)
                Assert.Equal(Correlation(own, means[(other.Card.Site, other.Card.Feature)]), other.Correlation, 2e-3);
            Assert.All(activity.Together, other => Assert.NotEqual((site, feature), (other.Card.Site, other.Card.Feature)));
            (random, weak, together) = (random + activity.Random.Count, weak + activity.Weak.Count, together + activity.Together.Count);
        }
        Assert.True(random > 0 && weak > 0 && together > 0, $"{random} random and {weak} weak pictures, {together} features together");

        static double Correlation(double[] a, double[] b)
        {
            var (x, y) = (a.Average(), b.Average());
            var both = a.Zip(b).Sum(pair => (pair.First - x) * (pair.Second - y));
            return both / Math.Sqrt(a.Sum(one => (one - x) * (one - x)) * b.Sum(one => (one - y) * (one - y)));
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
                var (one, other) = (straight.Activity(site, feature), again.Activity(site, feature));
                Assert.Equal(one.Histogram?.Counts, other.Histogram?.Counts);
                Assert.Equal(one.Random.Concat(one.Weak), other.Random.Concat(other.Weak));
                Assert.Equal(one.Together, other.Together);
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
        Assert.InRange(atlas.Similar(site, 1).Count, 0, 8);
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
