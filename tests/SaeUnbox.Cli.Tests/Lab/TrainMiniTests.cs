using System.Text.Json;
using SaeUnbox.Atlas.Reading;
using SaeUnbox.Mini.Training;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests.Lab;

/// <summary>The smallest training of a mini model, by the command that makes the one that ships.</summary>
public sealed class TrainMiniTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public async Task TrainMini_FromNothing_EndsWithFiguresAndAnAtlasAndCanGoOnFromThem()
    {
        var options = new MiniTrainingOptions
        {
            Latents = new() { Scenes = 6 },
            Decoder = new() { Width = 6, Blocks = [1, 0, 0], Steps = 2, Batch = 2, Crop = 8 },
            Network = new() { Channels = [8, 8, 16], Layers = [1, 1, 2], Heads = [1, 1, 2], NormGroups = 4, TimeIdChannels = 4, TextWidth = 8, Steps = 2, Batch = 1, EvaluationPictures = 1 },
            Autoencoders = new() { Pictures = 2, Features = 24, K = 3, AuxK = 4, Steps = 4, Batch = 64, WarmUp = 2 },
            Evaluation = new() { Pictures = 2, Scenes = 1, LeastCorrelation = .6 },
            Atlas = new() { Captions = 3, TopPictures = 1, PictureSide = 48 },
        };
        MiniTrainingOptionsFile.Write(_folder.At("config.json"), options);

        await Done(["train-mini", "--out", _folder.At("first"), "--config", _folder.At("config.json")]);

        var figures = JsonDocument.Parse(File.ReadAllBytes(_folder.At("first", "figures.json"))).RootElement;
        Assert.Equal(2, figures.GetProperty("options").GetProperty("pictures").GetInt32());
        Assert.Equal(4, AtlasReader.Open(_folder.At("first", "atlas")).Sites.Count);

        // Nothing is left to do: what is there stays as it is.
        var written = File.GetLastWriteTimeUtc(_folder.At("first", "figures.json"));
        await Done(["train-mini", "--out", _folder.At("first"), "--config", _folder.At("config.json")]);
        Assert.Equal(written, File.GetLastWriteTimeUtc(_folder.At("first", "figures.json")));

        await Done(["train-mini", "--out", _folder.At("second"), "--config", _folder.At("config.json"), "--from", _folder.At("first")]);
        Assert.True(File.Exists(_folder.At("second", "atlas", AtlasReader.FileName)));

        // A longer training is another model: its figures and atlas are made anew.
        await Done(["train-mini", "--out", _folder.At("first"), "--config", _folder.At("config.json"), "--steps", "3"]);
        Assert.NotEqual(written, File.GetLastWriteTimeUtc(_folder.At("first", "figures.json")));
    }

    [Fact]
    public async Task TrainMini_FromAFolderWithoutAModel_SaysWhatIsMissingAndLeavesNothing()
    {
        Assert.Contains("no folder 'model'", await Saeunbox.FailAsync("train-mini", "--out", _folder.At("run"), "--from", _folder.Path));
        Assert.False(Directory.Exists(_folder.At("run")));
    }

    [Fact]
    public async Task EvaluateMini_OfAnElementThatIsNone_NamesThoseThereAre() =>
        Assert.Contains("snowman", await Saeunbox.FailAsync("evaluate-mini", "--model", _folder.Path, "--saes", _folder.Path, "--element", "dragon"));

    [Fact]
    public async Task TrainMini_ByAnEmptyConfiguration_SaysSoInASentence()
    {
        File.WriteAllText(_folder.At("config.json"), "");
        Assert.Contains("holds no training options", await Saeunbox.FailAsync("train-mini", "--out", _folder.At("run"), "--config", _folder.At("config.json")));
    }

    public void Dispose() => _folder.Dispose();

    private static async Task Done(string[] words)
    {
        var use = await Saeunbox.RunAsync(words);
        Assert.True(use.Code == 0, use.Error);
    }
}
