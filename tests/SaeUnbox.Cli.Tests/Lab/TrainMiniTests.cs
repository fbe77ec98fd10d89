using System.Text.Json;
using SaeUnbox.Cli.Options;
using SaeUnbox.Mini.Training;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests.Lab;

/// <summary>Trains a very small mini model with the command that makes the embedded one.</summary>
public sealed class TrainMiniTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task TrainMini_FromScratch_GivesFiguresAndAnAtlasAndCanContinue()
    {
        var options = new MiniTrainingOptions
        {
            Latents = new() { Scenes = 6 },
            Decoder = new() { Width = 6, Blocks = [1, 0, 0], Steps = 2, Batch = 2, Crop = 8 },
            Network = new()
            {
                Channels = [8, 8, 16],
                Layers = [1, 1, 2],
                Heads = [1, 1, 2],
                NormGroups = 4,
                TimeIdChannels = 4,
                TextWidth = 8,
                Steps = 2,
                Batch = 1,
                EvaluationPictures = 1
            },
            Autoencoders = new() { Pictures = 2, Features = 24, K = 3, AuxK = 4, Steps = 4, Batch = 64, WarmUp = 2 },
            Evaluation = new()
            {
                Pictures = 2,
                Prompts = 2,
                Scenes = 1,
                LeastCorrelation = .6,
                Trials = 1,
                ConceptScenes = 1,
                NamingScenes = 2,
                FeatureTrials = 1,
                FeatureScenes = 1
            },
            Atlas = new() { Captions = 3, TopPictures = 1, PictureSide = 48 },
        };
        Config(options);

        await Done(["train-mini", "--out", _folder.At("first"), "--config", _folder.At("config.json")]);

        var figures = JsonDocument.Parse(File.ReadAllBytes(_folder.At("first", "figures.json"))).RootElement;
        Assert.Equal(2, figures.GetProperty("options").GetProperty("pictures").GetInt32());
        Assert.Equal(4, AtlasReader.Open(_folder.At("first", "atlas")).Sites.Count);

        // A finished run is left unchanged.
        var written = File.GetLastWriteTimeUtc(_folder.At("first", "figures.json"));
        await Done(["train-mini", "--out", _folder.At("first"), "--config", _folder.At("config.json")]);
        await Done(["train-mini", "--out", _folder.At("first")]);
        Assert.Equal(written, File.GetLastWriteTimeUtc(_folder.At("first", "figures.json")));

        // Changed options of the findings rebuild only the findings.
        var atlas = File.GetLastWriteTimeUtc(_folder.At("first", "atlas", AtlasReader.FileName));
        var trained = File.GetLastWriteTimeUtc(_folder.At("first", "states", "network.safetensors"));
        await Done([
            "train-mini",
            "--out",
            _folder.At("first"),
            "--config",
            Config(options with { Atlas = options.Atlas with { Captions = 4 } })
        ]);
        Assert.Equal(written, File.GetLastWriteTimeUtc(_folder.At("first", "figures.json")));
        Assert.NotEqual(atlas, File.GetLastWriteTimeUtc(_folder.At("first", "atlas", AtlasReader.FileName)));
        await Done([
            "train-mini",
            "--out",
            _folder.At("first"),
            "--config",
            Config(options with { Evaluation = options.Evaluation with { Pictures = 1 } })
        ]);
        Assert.Equal(1,
            JsonDocument
                .Parse(File.ReadAllBytes(_folder.At("first", "figures.json"))).RootElement
                .GetProperty("options")
                .GetProperty("pictures")
                .GetInt32());
        Assert.Equal(trained, File.GetLastWriteTimeUtc(_folder.At("first", "states", "network.safetensors")));

        await Done(["train-mini", "--out", _folder.At("second"), "--config", _folder.At("config.json"), "--from", _folder.At("first")]);
        Assert.True(File.Exists(_folder.At("second", "atlas", AtlasReader.FileName)));
        Assert.Contains("leave --from out",
            await Saeunbox.FailAsync("train-mini", "--out", _folder.At("second"), "--from",
                Path.GetDirectoryName(EmbeddedModel.ModelFolder)!));

        // Longer training gives another model, so its figures and atlas are rebuilt.
        await Done(["train-mini", "--out", _folder.At("first"), "--config", _folder.At("config.json"), "--steps", "3"]);
        Assert.NotEqual(written, File.GetLastWriteTimeUtc(_folder.At("first", "figures.json")));
    }

    [Fact]
    public async Task TrainMini_FolderWithoutAModel_NamesWhatIsMissing()
    {
        Assert.Contains("no folder 'model'", await Saeunbox.FailAsync("train-mini", "--out", _folder.At("run"), "--from", _folder.Path));
        Assert.False(Directory.Exists(_folder.At("run")));
    }

    [Fact]
    public async Task EvaluateMini_Concepts_WritesThemForAnAtlas()
    {
        string[] evaluate =
        [
            "evaluate-mini", "--model", EmbeddedModel.ModelFolder, "--saes", EmbeddedModel.SaeFolder, "--pictures", "16",
            "--element", "snow", "--trials", "1", "--concept-scenes", "2", "--fitting-steps", "2",
            "--concepts", _folder.At("concepts.json"),
            "--suggestions", _folder.At("tries.json"),
        ];

        var run = await Saeunbox.RunAsync(evaluate);

        Assert.Equal(0, run.Code);
        Assert.Contains("concept    snow", run.Output);
        var snow = Assert.Single(AtlasFiles.Concepts(_folder.At("concepts.json")));
        Assert.Equal("snow", snow.Name);
        Assert.NotEmpty(AtlasFiles.Suggestions(_folder.At("tries.json")));
        Assert.Equal(EditMode.Add, snow.BestForPainting!.Painting!.Mode);
        Assert.False(Directory.Exists(_folder.At("concepts.json.parts")));
    }

    [Fact]
    public async Task EvaluateMini_ShippedModel_ReportsFigures()
    {
        string[] evaluate = [
            "evaluate-mini",
            "--model",
            EmbeddedModel.ModelFolder,
            "--saes",
            EmbeddedModel.SaeFolder,
            "--pictures",
            "16",
            "--prompts",
            "2",
            "--scenes",
            "3",
            "--element",
            "snow"
        ];
        var words = await Saeunbox.RunAsync(evaluate);
        var json = await Saeunbox.RunAsync([
            .. evaluate,
            "--json"
        ]);

        Assert.Equal((0, 0), (words.Code, json.Code));
        Assert.All((string[])["pictures   latent error", "obedience  ground", "sharpness  strangers",
            "site       mid.0", "steering   snow      down.2.1"],
            text => Assert.Contains(text, words.Output));
        Assert.Equal(3, json.Json.GetProperty("options").GetProperty("scenes").GetInt32());
        Assert.All(json.Json.GetProperty("steering").EnumerateArray(), one => Assert.Equal("snow", one.GetProperty("element").GetString()));
    }

    [Fact]
    public async Task EvaluateMini_Features_WritesThemTheSameTwiceAndAnAtlasTakesThem()
    {
        string[] evaluate =
        [
            "evaluate-mini", "--model", EmbeddedModel.ModelFolder, "--saes", EmbeddedModel.SaeFolder, "--naming-scenes", "24",
            "--feature-trials", "0",
        ];
        Directory.CreateDirectory(_folder.At("atlas"));
        File.Copy(Path.Combine(EmbeddedModel.AtlasFolder, AtlasReader.FileName), _folder.At("atlas", AtlasReader.FileName));

        var words = await Saeunbox.RunAsync([.. evaluate, "--features", _folder.At("one.json")]);
        var again = await Saeunbox.RunAsync([.. evaluate, "--features", _folder.At("two.json"), "--json"]);
        await Saeunbox.SucceedAsync(["atlas", "--out", _folder.At("atlas"), "--features", _folder.At("one.json")]);

        Assert.Equal((0, 0), (words.Code, again.Code));
        Assert.Equal(File.ReadAllText(_folder.At("one.json")), File.ReadAllText(_folder.At("two.json")));
        Assert.False(Directory.Exists(_folder.At("one.json.parts")));
        var (features, atlas) = (AtlasFiles.Features(_folder.At("one.json")), AtlasReader.Open(_folder.At("atlas")));
        Assert.Equal(features.Count(one => one.Name is not null), again.Json.GetProperty("named").GetInt32());
        Assert.Equal(4 * 512, features.Count);
        Assert.Contains(features, one => one.Name is not null);
        Assert.All(features, one => Assert.Equal((one.Name, null), (atlas.Find(one.Site, one.Feature)!.Name,
            atlas.Find(one.Site, one.Feature)!.Effect)));
    }

    [Theory]
    [InlineData("""[{"site":"mid.0","feature":3,"name":"house","effect":{"element":"house","strength":4000,"painted":1}}]""")]
    [InlineData("""[{"site":"mid.0","feature":-3,"name":"house"}]""")]
    [InlineData("""[{"feature":3,"name":"house"}]""")]
    [InlineData("""[{"site":"mid.0","feature":3,"effect":{"strength":4}}]""")]
    [InlineData("""{}""")]
    public async Task Atlas_UnusableFeatures_SaysSo(string json)
    {
        File.WriteAllText(_folder.At("features.json"), json);

        Assert.Contains("features.json cannot be used",
            await Saeunbox.FailAsync("atlas", "--out", _folder.At("atlas"), "--features", _folder.At("features.json")));
    }

    [Fact]
    public async Task EvaluateMini_SuggestionsWithoutConcepts_SaysSo() =>
        Assert.Contains("together with --concepts", await Saeunbox.FailAsync("evaluate-mini", "--model", _folder.Path, "--saes",
            _folder.Path, "--suggestions", _folder.At("tries.json")));

    [Fact]
    public async Task EvaluateMini_UnknownElement_ListsTheElements() =>
        Assert.Contains("snowman",
            await Saeunbox.FailAsync("evaluate-mini", "--model", _folder.Path, "--saes", _folder.Path, "--element", "dragon"));

    [Fact]
    public async Task TrainMini_EmptyConfiguration_SaysSoInOneSentence()
    {
        File.WriteAllText(_folder.At("config.json"), "");
        Assert.Contains("holds no training options",
            await Saeunbox.FailAsync("train-mini", "--out", _folder.At("run"), "--config", _folder.At("config.json")));
    }

    public void Dispose() => _folder.Dispose();

    private string Config(MiniTrainingOptions options)
    {
        MiniTrainingOptionsFile.Write(_folder.At("config.json"), options);
        return _folder.At("config.json");
    }

    private static async Task Done(string[] words)
    {
        var use = await Saeunbox.RunAsync(words);
        Assert.True(use.Code == 0, use.Error);
    }
}
