using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

public sealed class ActivationCollectorTests(GoldenModel model) : IClassFixture<GoldenModel>
{
    private const double Unguided = 1e-2;
    private const double Guided = 4e-2;

    private static readonly Site[] Two = [Site.Middle, Site.Details];

    public static TheoryData<string> Runs() => GoldenModel.Runs();

    [Theory]
    [MemberData(nameof(Runs))]
    public void Run_GoldenPromptAndSeed_KeepsTheReferenceActivations(string run)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var recipe = model.Recipe(run);
        var loaded = model.For(run);
        var outcome = ActivationCollector.Run(loaded,
            Request(recipe, [new(recipe.Prompt, recipe.Seed)]) with { Sites = [.. loaded.Saes.Keys] }, folder.Path);

        Assert.Equal(recipe.Steps, outcome.Done);
        foreach (var site in loaded.Saes.Keys)
        {
            var file = $"runs/{run}.safetensors";
            var added = GoldenTensors.Read(file, $"{site.ModulePath}/output") - GoldenTensors.Read(file, $"{site.ModulePath}/input");
            var expected = added[added.shape[0] - 1].permute(0, 2, 3, 1); // the conditional half is the last of the batch
            TensorAssert.Close(expected.reshape(-1, expected.shape[^1]), Rows(folder.Path, site), recipe.Guidance > 1 ? Guided : Unguided);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_LayerOfTheTextEncoder_KeepsTheStatesOfEveryToken(bool withUNet)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var loaded = model.For("base");
        var place = loaded.Model.TextSites[^1]; // the last layer that SDXL reads, so the first part of the text states
        var captions = Captions(3);
        var request = Request(model.Recipe("base"), captions) with
        {
            Sites = withUNet ? [place.Site, Site.Middle] : [place.Site],
            Steps = 2,
            Pictures = 2,
        };

        ActivationCollector.Run(loaded, request, folder.Path);

        var rows = Rows(folder.Path, place.Site).view(3, 2, 77, place.Channels);
        for (var i = 0; i < captions.Length; i++)
        {
            var hidden =
                loaded.Model.Encode(new ImageRequest { Prompts = [captions[i].Text], Seeds = [0], Width = 64, Height = 64 }).Hidden;
            TensorAssert.RelativelyClose(hidden[0, .., ..place.Channels], rows[i, 0], 2e-3);
            Assert.Equal(rows[i, 0].data<float>().ToArray(), rows[i, 1].data<float>().ToArray());
        }
    }

    [Fact]
    public void Run_SeveralPicturesTogether_AreEachAsAlone()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var request = Request(model.Recipe("base"), Captions(3)) with { Steps = 2 };
        ActivationCollector.Run(model.For("base"), request, folder.At("alone"));
        ActivationCollector.Run(model.For("base"), request with { Pictures = 2 }, folder.At("together"));
        // Larger products round otherwise, which two guided steps amplify; a picture's rows taken for another's are off by three quarters.
        foreach (var site in Two)
            TensorAssert.RelativelyClose(Rows(folder.At("alone"), site), Rows(folder.At("together"), site), 1e-3);
    }

    // Larger products round otherwise, so the same numbers need the same pictures together.
    [Fact]
    public void Run_WorkersThatEndWithinABatch_StoreTheNumbersOfOneWorker()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var request = Request(model.Recipe("base"), Captions(5)) with { Steps = 2, Pictures = 2 };
        ActivationCollector.Run(model.For("base"), request, folder.At("one"));
        for (var worker = 0; worker < 3; worker++)
            ActivationCollector.Run(model.For("base"), request with { Worker = worker, Workers = 3 }, folder.At("three"));

        Assert.Equal(10, Items(folder.At("three")));
        foreach (var site in Two)
            TensorAssert.Same(Rows(folder.At("one"), site), Rows(folder.At("three"), site));
    }

    [Fact]
    public void Run_CancelledAndRestarted_GivesTheSameActivations()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var request = Small(Captions(5));
        ActivationCollector.Run(model.For("turbo4"), request, folder.At("whole"));

        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => ActivationCollector.Run(
            model.For("turbo4"), request, folder.At("parts"), progress =>
            {
                if (progress.Done == 3)
                    cancellation.Cancel();
            }, cancellation.Token));
        Assert.Equal(3, Items(folder.At("parts")));
        var after = new List<long>();
        var outcome = ActivationCollector.Run(model.For("turbo4"), request, folder.At("parts"), progress => after.Add(progress.Done));

        Assert.Equal([4L, 5], after);
        Assert.Equal(new CollectionOutcome(5, 5, outcome.Bytes, IsFull: false), outcome);
        foreach (var site in Two)
            TensorAssert.Same(Rows(folder.At("whole"), site), Rows(folder.At("parts"), site));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Run_SeveralWorkers_FillOneCollection(int before)
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var request = Small(Captions(7));
        ActivationCollector.Run(model.For("turbo4"), request, folder.At("alone"));
        ActivationCollector.Run(model.For("turbo4"), request with { Worker = before - 1, Workers = before + 1 }, folder.At("shared"));
        foreach (var worker in (int[])[1, 0])
            ActivationCollector.Run(model.For("turbo4"), request with { Worker = worker, Workers = 2 }, folder.At("shared"));
        foreach (var site in Two)
            TensorAssert.Same(Rows(folder.At("alone"), site), Rows(folder.At("shared"), site));
    }

    [Fact]
    public void Run_BudgetSpent_StopsAndCanContinue()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var request = Small(Captions(4)) with { Storage = new CollectionOptions { ItemsPerShard = 1 } };
        ActivationCollector.Run(model.For("turbo4"), request with { Captions = Captions(1) }, folder.Path);
        var one = Bytes(folder.Path);

        var full = ActivationCollector.Run(model.For("turbo4"), request with { Storage = request.Storage with { DiskBudget = 3 * one } },
            folder.Path);
        Assert.True(full.IsFull);
        Assert.InRange(full.Done, 2, 3);
        Assert.InRange(Bytes(folder.Path), one, 3 * one);
        var rest = ActivationCollector.Run(model.For("turbo4"), request, folder.Path);
        Assert.Equal((4L, false), (rest.Done, rest.IsFull));
    }

    [Fact]
    public void Run_FolderOfAnotherCollection_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var request = Small(Captions(2));
        ActivationCollector.Run(model.For("turbo4"), request, folder.Path);
        var size = request.Width / 2;
        Assert.Contains($"{request.Width} x {request.Height} and not {size} x {request.Height}", Refused(request with { Width = size }));
        Assert.Contains("caption 1", Refused(request with { Captions = [request.Captions[0], request.Captions[1] with { Seed = 99 }] }));

        ActivationCollector.Run(model.For("turbo4"), request with { Captions = Captions(3) }, folder.Path);
        Assert.Equal(Captions(3), CollectedCaptions.Read(folder.Path));
        Assert.Equal(request.Width, CollectionSettings.Find(folder.Path)!.Width);
        Assert.Equal(3, Items(folder.Path));

        string Refused(CollectionRequest other) =>
            Assert.Throws<SaeException>(() => ActivationCollector.Run(model.For("turbo4"), other, folder.Path)).Message;
    }

    [Fact]
    public void Run_OtherModelOfTheSameName_IsRefused()
    {
        using var folder = new TemporaryFolder();
        using var other = OtherWeights.Load(folder.At("other"));
        ActivationCollector.Run(model.For("turbo4"), Small(Captions(1)), folder.At("data"));

        var refusal = Assert.Throws<SaeException>(() => ActivationCollector.Run(other, Small(Captions(2)), folder.At("data"))).Message;

        Assert.Equal(model.For("turbo4").Info.Name, other.Info.Name);
        Assert.Contains($"weights {model.For("turbo4").Fingerprint} and not {other.Fingerprint}", refusal);
        Assert.Equal(1, Items(folder.At("data")));
    }

    [Fact]
    public void Run_NoSuchSite_TouchesNothing()
    {
        using var folder = new TemporaryFolder();
        var request = Small(Captions(1)) with { Sites = [Site.Parse("up.9.9")] };
        Assert.Contains("up.9.9",
            Assert.Throws<ModelException>(() => ActivationCollector.Run(model.For("turbo4"), request, folder.At("out"))).Message);
        Assert.False(Directory.Exists(folder.At("out")));
    }

    private static Caption[] Captions(int count) => [.. Enumerable.Range(0, count).Select(i => new Caption($"picture \"{i}\", ü", i))];

    private static CollectionRequest Request(Recipe recipe, IReadOnlyList<Caption> captions) => new()
    {
        Sites = Two,
        Captions = captions,
        Steps = recipe.Steps,
        Guidance = recipe.Guidance,
        Width = recipe.Width,
        Height = recipe.Height,
        Storage = new CollectionOptions { ItemsPerShard = 2, Dtype = Dtype.Fp32 },
    };

    private CollectionRequest Small(IReadOnlyList<Caption> captions) => Request(model.Recipe("turbo4") with { Steps = 1 }, captions);

    private static Tensor Rows(string folder, Site site) =>
        cat([.. ActivationCollection.Open(folder, site).Shards.Select(shard => shard.ReadRows())], 0);

    private static long Items(string folder) => ActivationCollection.Open(folder, Two[0]).Shards.Sum(shard => shard.End - shard.First);

    private static long Bytes(string folder) =>
        Directory.EnumerateFiles(folder, "*.safetensors", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
}
