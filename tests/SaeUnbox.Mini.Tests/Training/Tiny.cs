using SaeUnbox.Mini.Training;

namespace SaeUnbox.Mini.Tests.Training;

/// <summary>The smallest training that goes through every stage and every kind of step.</summary>
internal static class Tiny
{
    public static MiniTrainingOptions Options { get; } = new()
    {
        Latents = new LatentOptions { Scenes = 6 },
        Decoder = new DecoderOptions { Width = 6, Blocks = [1, 0, 0], Steps = 4, Batch = 2, Crop = 8, CheckpointEvery = 2 },
        Network = new NetworkOptions
        {
            Channels = [8, 8, 16],
            Layers = [1, 1, 2],
            Heads = [1, 1, 2],
            NormGroups = 4,
            TimeIdChannels = 4,
            TextWidth = 8,
            Steps = 4,
            Batch = 1,
            Workers = 2,
            CutFrom = 0,
            SwapFrom = 0,
            PaintFrom = 0,
            CheckpointEvery = 2,
            EvaluationPictures = 2,
        },
        Autoencoders = new AutoencoderOptions { Pictures = 3, Features = 24, K = 3, AuxK = 4, Steps = 6, Batch = 64, WarmUp = 2 },
    };

    public static string Folder() => Directory.CreateTempSubdirectory("mini-").FullName;

    public static LatentCode Code() => LatentCode.Fit(Enumerable.Range(0, 6).Select(i =>
        Mini.Scenes.SceneRenderer.Render(Mini.Scenes.SceneSampler.DrawScene(new Random(i), Options.Scenes))));
}

internal sealed class Recorder : IMiniTrainingProgress
{
    public List<MiniTrainingReport> Reports { get; } = [];

    public List<string> Sheets { get; } = [];

    public Action<string, int> OnSaved { get; init; } = (_, _) => { };

    public void Report(MiniTrainingReport report) => Reports.Add(report);

    public void Saved(string stage, int step, string path, string? picture)
    {
        if (picture is not null)
            Sheets.Add(picture);
        OnSaved(stage, step);
    }
}
