using SaeUnbox.Testing;

namespace SaeUnbox.Lab.Tests.Evaluation;

public sealed class ModelEvaluationTests(GoldenModel golden) : IClassFixture<GoldenModel>, IDisposable
{
    private const string Run = "turbo4";

    private readonly TemporaryFolder _folder = new();

    private LoadedModel Model => golden.For(Run);

    private EvaluationRequest Request => new()
    {
        Captions = [new("a dog", 1), new("a boat at sea", 2)],
        Settings = golden.Recipe(Run) with { Width = 64, Height = 64, Steps = 2, Guidance = 3 },
        Sites = [.. Model.Saes.Keys.Take(2)],
        Second = Model.Saes,
        Judge = new HalfJudge(),
        Pictures = 3,
        Scenes = 2,
        Tuning = 1,
    };

    [Fact]
    public void Run_SmallQuestion_MeasuresEveryMethodOfEverySite()
    {
        var report = ModelEvaluation.Run(Model, Request, _folder.At("out"));

        string[] sites = [.. Request.Sites.Select(site => site.Code)];
        Assert.Equal(3 * sites.Length, report.Fit.Count);
        Assert.Equal([.. sites, "all"], report.Reconstruction.Select(row => row.Sites));
        Assert.All(report.Stability, row => Assert.Equal(1, row.Figures.MatchedCosine, 1e-4));
        Assert.Equal(["left", "bright"], report.Elements.Select(one => one.Element));
        foreach (var element in report.Elements)
        {
            Assert.Equal(from site in sites from method in SteeringMethod.Names.Take(4) select (site, method),
                element.Detection.Select(row => (row.Site, row.Method)));
            var painted = element.Steering.Where(row => row.Task == SteeringTask.Paint).ToArray();
            Assert.Equal(
                [.. from site in sites from method in SteeringMethod.Names.Take(4) select (site, method), (null, SteeringMethod.Prompt)],
                painted.Select(row => (row.Site, row.Method)));
            var removed = element.Steering.Where(row => row.Task == SteeringTask.Remove).ToArray();
            Assert.Equal(
                [.. from site in sites from method in SteeringMethod.Names.Take(6) select (site, method), (null, SteeringMethod.Prompt)],
                removed.Select(row => (row.Site, row.Method)));
            Assert.All(element.Steering, row => Assert.Equal(2, row.Figures.Pictures));
            Assert.True(File.Exists(_folder.At("out", element.Sheet!)));
        }
        // What is left and what is bright differ, so at least one method changes some picture.
        Assert.Contains(report.Elements.SelectMany(one => one.Steering), row => row.Figures.Leakage > 0);
        Assert.Contains(report.Missing, one => one.Measure == "LPIPS");
        string[] files = ["report.json", "index.html", "fit.csv", "reconstruction.csv", "stability.csv", "detection.csv", "steering.csv"];
        Assert.All(files, file => Assert.True(File.Exists(_folder.At("out", file)), file));
        Assert.DoesNotContain("http", File.ReadAllText(_folder.At("out", "index.html")));
        Assert.DoesNotContain("<script", File.ReadAllText(_folder.At("out", "index.html")));
    }

    [Fact]
    public void Run_TwiceOrStopped_GivesTheSameFiles()
    {
        ModelEvaluation.Run(Model, Request, _folder.At("whole"));
        ModelEvaluation.Run(Model, Request, _folder.At("again"));
        var expected = Files("whole");
        Assert.Equal(expected, Files("again"));

        // Stopped after every few units of work; the finished parts stay.
        for (var stops = 0; ; stops++)
        {
            using var cancellation = new CancellationTokenSource();
            var seen = 0;
            try
            {
                ModelEvaluation.Run(Model, Request, _folder.At("stopped"), (_, _, _) =>
                {
                    if (++seen == 9)
                        cancellation.Cancel();
                }, cancellation.Token);
                Assert.True(stops > 0);
                break;
            }
            catch (OperationCanceledException)
            {
                Assert.False(File.Exists(_folder.At("stopped", "report.json")));
                Assert.True(stops < 20);
            }
        }
        Assert.Equal(expected, Files("stopped"));

        Dictionary<string, string> Files(string name) => Directory
            .GetFiles(_folder.At(name), "*", SearchOption.AllDirectories).Where(path => !Path.GetFileName(path).StartsWith('.'))
            .ToDictionary(path => Path.GetRelativePath(_folder.At(name), path), path => Convert.ToHexString(File.ReadAllBytes(path)));
    }

    [Fact]
    public void Run_FinishedParts_AreNotMadeAgain()
    {
        ModelEvaluation.Run(Model, Request, _folder.At("out"));
        var part = _folder.At("out", "parts", "element-left.json");
        File.WriteAllText(part, File.ReadAllText(part).Replace("\"left\"", "\"kept\"", StringComparison.Ordinal));

        var report = ModelEvaluation.Run(Model, Request with { Judge = new HalfJudge { IsBroken = true } }, _folder.At("out"));

        Assert.Equal("kept", report.Elements[0].Element);
    }

    [Fact]
    public void Run_FolderOfAnotherQuestion_IsRefusedAndUntouched()
    {
        var request = Request with { Judge = null, Second = null };
        ModelEvaluation.Run(Model, request, _folder.At("out"));
        var before = File.ReadAllText(_folder.At("out", "report.json"));

        foreach (var other in (EvaluationRequest[])[
            request with { Captions = [new("a dog", 1)] }, request with { Captions = [new("a dog", 1), new("a boat at sea", 3)] },
            request with { Sites = [] }, request with { Pictures = 4 }, request with { Second = Model.Saes }])
            Assert.Contains("other options",
                Assert.Throws<SaeException>(() => ModelEvaluation.Run(Model, other, _folder.At("out"))).Message);
        Assert.Equal(before, File.ReadAllText(_folder.At("out", "report.json")));

        File.WriteAllText(_folder.At("notes.txt"), "mine");
        Assert.Contains("other files", Assert.Throws<SaeException>(() => ModelEvaluation.Run(Model, request, _folder.At())).Message);
    }

    [Fact]
    public void Run_ADamagedPart_SaysWhich()
    {
        var request = Request with { Judge = null, Second = null };
        ModelEvaluation.Run(Model, request, _folder.At("out"));
        File.WriteAllText(_folder.At("out", "parts", "fit.json"), "{");

        Assert.Contains("fit.json", Assert.Throws<SaeException>(() => ModelEvaluation.Run(Model, request, _folder.At("out"))).Message);
    }

    [Fact]
    public void Run_WithoutAJudge_MeasuresLeakageOfTheMostActiveFeatures()
    {
        var request = Request with { Judge = null, Second = null };

        var rows = ModelEvaluation.Run(Model, request, _folder.At("out")).Leakage;

        Assert.Equal(request.Sites.Select(site => site.Code), rows.Select(row => row.Site));
        foreach (var (site, row) in request.Sites.Zip(rows))
        {
            var (rowCount, columns) = Model.Info.Find(site)!.Grid(64, 64);
            var each = request.Captions.Select(caption =>
            {
                using var effects = new FeatureEffects(Model, request.Settings! with { Prompt = caption.Text, Seed = caption.Seed });
                var feature = effects.Plain().Maps.Find(site)!.Top(1)[0].Feature;
                return effects.Leakages(site, [feature], row.Strength, FeatureEffects.MiddleQuarter(rowCount, columns)).Single();
            }).ToArray();
            Assert.Equal(2, row.Pictures);
            Assert.Equal(each.Average(one => one.Outside) / each.Average(one => one.Inside), row.Leakage!.Value, 1e-9);
        }
    }

    [Fact]
    public void Run_WithoutAJudge_NamesWhatIsMissing()
    {
        var report = ModelEvaluation.Run(Model, Request with { Judge = null, Second = null }, _folder.At("out"));

        Assert.Empty(report.Elements);
        Assert.Equal(["LPIPS", "CLIP", "stability", "detection, success, retention, artefacts and their baselines"],
            report.Missing.Select(one => one.Measure));
        Assert.All(report.Missing, one => Assert.NotEmpty(one.Reason));
    }

    public void Dispose() => _folder.Dispose();

    /// <summary>Knows a left half and a bright upper half; sees an element where the cells are brighter than the rest.</summary>
    internal sealed class HalfJudge : IPictureJudge
    {
        public bool IsBroken { get; init; }

        public JudgeDescription Description { get; } = new("halves", "brighter", "quarters", "black");

        public IReadOnlyList<string> Elements { get; } = ["left", "bright"];

        public KnownPicture Picture(int number) => IsBroken ? throw new InvalidOperationException()
            : new(CaptionOf(number), [Left, BrushMask.FromCells(2, 1, number == 0 ? [0, 0] : [1, 0])]);

        public SteeringTrial? Trial(string element, SteeringTask task, int number) => IsBroken ? throw new InvalidOperationException()
            : new(CaptionOf(10 + number), Left, "a red house", new BrightProbe());

        private static BrushMask Left { get; } = BrushMask.FromCells(1, 2, [1, 0]);

        private static Caption CaptionOf(int number) => new(number % 2 == 0 ? "a dog" : "a house by the sea", number);
    }

    private sealed class BrightProbe : IPictureProbe
    {
        public PictureReading Read(Picture picture)
        {
            double[] sums = new double[4];
            for (var i = 0; i < picture.Pixels.Length; i++)
                sums[((i / 3 / picture.Width * 2 / picture.Height) * 2) + (i / 3 % picture.Width * 2 / picture.Width)] += picture.Pixels[i];
            return new(sums[0] + sums[2] > sums[1] + sums[3], [.. sums.Select(sum => sum > 128 * 3 * 1024 ? "light" : "dark")],
                sums.Any(sum => sum < 1000));
        }
    }
}
