using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

public class TrainingSessionTests
{
    private static readonly TrainingPlan Plan = new(
        Site.Middle,
        [
            new TrainingOptions { Features = 32, K = 3, AuxK = 8, BatchSize = 16, LearningRate = 1e-3 },
            new TrainingOptions
            {
                Features = 24,
                K = 2,
                AuxK = null,
                BatchSize = 16,
                LearningRate = 1e-3,
                Sparsity = SparsityRule.BatchTopK
            },
        ],
        Steps: 30)
    {
        SampleRows = 64,
        LogEvery = 3,
        SaveEvery = 7,
        WindowRows = 64,
    };

    [Fact]
    public void Run_CancelledAndRestarted_WritesTheSameFiles()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var collection = Collect(folder.At("data"));
        var whole = TrainingSession.Run(Plan, collection, folder.At("whole"));

        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() => TrainingSession.Run(Plan, collection, folder.At("parts"), progress: progress =>
        {
            if (progress.StepsDone == 11)
                cancellation.Cancel();
        }, cancellation: cancellation.Token));
        foreach (var (path, options) in Directory
            .GetDirectories(folder.At("parts"))
            .Order()
            .Zip(Plan.Autoencoders.OrderBy(options => options.K)))
        {
            // What is known so far can be loaded and looked at.
            using var snapshot = SaeLoader.Load(Path.Combine(path, "11"));
            Assert.Equal(options.Features, snapshot.Config.Features);
            Assert.Single(Directory.GetDirectories(path));
            System.Xml.Linq.XDocument.Load(Path.Combine(path, "training.svg"));
        }
        var parts = TrainingSession.Run(Plan, collection, folder.At("parts"));

        foreach (var (a, b) in whole.Zip(parts))
        {
            Assert.Equal("final", Path.GetFileName(Assert.Single(Directory.GetDirectories(b))));
            foreach (var file in new[] { "final/state_dict.pth", "final/config.json", "log.csv", "training.svg" })
                Assert.Equal(File.ReadAllBytes(Path.Combine(a, file)), File.ReadAllBytes(Path.Combine(b, file)));
        }
    }

    [Fact]
    public void Run_ToTheEnd_WritesALoadableDictionary()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var plan = Plan with { Autoencoders = [Plan.Autoencoders[0]] };
        var steps = new List<long>();
        var folders = TrainingSession.Run(
            plan, Collect(folder.At("data")), folder.At("out"), progress: progress => steps.Add(progress.StepsDone));

        Assert.Equal(Enumerable.Range(1, (int)plan.Steps).Select(step => (long)step), steps);
        using var set = SaeSet.Load(folder.At("out"));
        Assert.Equal(plan.Autoencoders[0].Features, set[Site.Middle].Features);
        var table = new TrainingLog(Path.Combine(folders[0], "log.csv"), resumeAt: long.MaxValue).Read();
        Assert.Equal(0, table["step"][0]);
        Assert.Equal(plan.Steps - 1, table["step"][^1]);
        Assert.True(table["total"][^1] < table["total"][0], "the loss did not fall");
        System.Xml.Linq.XDocument.Load(Path.Combine(folders[0], "training.svg"));

        var data = ActivationCollection.Open(folder.At("data"), Site.Middle);
        var report = ActivationStatistics.Measure(set[Site.Middle], data);
        Assert.Equal(data.Rows, report.Positions);
        SaeWriter.SaveScale(report.Scale, Path.Combine(folders[0], "final"));
        using var again = SaeLoader.Load(folders[0]);
        Assert.Equal(report.Scale.Mean, again.Scale!.Mean);
        Assert.Equal(report.Scale.StandardDeviation, again.Scale.StandardDeviation);
    }

    [Fact]
    public void Run_OtherOptionsInTheSameFolder_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var collection = Collect(folder.At("data"));
        TrainingSession.Run(Plan with { Steps = 2 }, collection, folder.At("out"));
        var error = Assert.Throws<SaeException>(() => TrainingSession.Run(Plan with { Seed = 7 }, collection, folder.At("out")));
        Assert.Contains("other options", error.Message);
    }

    [Fact]
    public void Run_ResumedOnOtherDataOrFromAnotherStart_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var plan = Plan with { Autoencoders = [Plan.Autoencoders[0]], Steps = 2 };
        var first = TrainingSession.Run(plan, Collect(folder.At("data")), folder.At("first"));
        var second = TrainingSession.Run(plan with { Seed = 7 }, Collect(folder.At("data")), folder.At("second"));
        TrainingSession.Run(plan with { From = first }, Collect(folder.At("data")), folder.At("out"));

        // The same start wherever it lies, and more steps.
        Directory.Move(folder.At("first"), folder.At("moved"));
        TrainingSession.Run(plan with { From = [first[0].Replace("first", "moved")], Steps = 3 }, Collect(folder.At("data")),
            folder.At("out"));
        Assert.Contains("another start",
            Assert.Throws<SaeException>(() => TrainingSession.Run(plan with { From = second }, Collect(folder.At("data")),
                folder.At("out"))).Message);
        Assert.Contains("other data",
            Assert.Throws<SaeException>(() => TrainingSession.Run(plan with { Seed = 7 }, Collect(folder.At("data"), 14),
                folder.At("second"))).Message);
    }

    [Fact]
    public void Run_OtherTrainingInTheFolder_IsRefused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var collection = Collect(folder.At("data"));
        Directory.CreateDirectory(folder.At("out"));
        using (FolderLock.Take(folder.At("out")))
            Assert.Contains("under way",
                Assert.Throws<CheckpointException>(() => TrainingSession.Run(Plan, collection, folder.At("out"))).Message);

        TrainingSession.Run(Plan with { Steps = 1 }, collection, folder.At("out"));
        Assert.False(File.Exists(folder.At("out", ".lock")));
    }

    [Fact]
    public void Run_DifferentBatchSizes_AreRefused()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var plan = Plan with { Autoencoders = [Plan.Autoencoders[0], Plan.Autoencoders[0] with { BatchSize = 8 }] };
        Assert.Contains("16, 8", Assert.Throws<SaeException>(
            () => TrainingSession.Run(plan, Collect(folder.At("data")), folder.At("out"))).Message);
    }

    private static ActivationCollection Collect(string folder, int items = 10)
    {
        using var writer = new CollectionWriter(folder, [Site.Middle], new CollectionOptions { ItemsPerShard = 4, Dtype = Dtype.Fp32 });
        for (var item = (int)writer.NextItem; item < items; item++)
        {
            using var activations = SyntheticData.Make(16, 8, 12, (ulong)item);
            writer.Add(item, new Dictionary<Site, Tensor> { [Site.Middle] = activations.view(4, 4, 8) });
        }

        writer.Complete();
        return ActivationCollection.Open(folder, Site.Middle);
    }
}
