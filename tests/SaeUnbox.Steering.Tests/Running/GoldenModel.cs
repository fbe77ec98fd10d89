using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Steering.Tests;

/// <summary>The tiny model of the golden folder, loaded once for each scheduler.</summary>
public sealed class GoldenModel : IDisposable
{
    private readonly Dictionary<string, LoadedModel> _loaded = [];

    public static TheoryData<string> Runs() => [.. Goldens.Json("runs", "runs.json").EnumerateObject().Select(run => run.Name)];

    public LoadedModel For(string run)
    {
        if (!_loaded.TryGetValue(Scheduler(run), out var model))
            _loaded[Scheduler(run)] = model = LoadedModel.Load(Options(run));
        return model;
    }

    public static JsonElement Run(string run) => Goldens.Json("runs", "runs.json").GetProperty(run);

    /// <summary>A golden run's recipe, without edits.</summary>
    public Recipe Recipe(string run)
    {
        var json = Run(run);
        return new Recipe
        {
            Model = For(run).Info.Name,
            Prompt = json.GetProperty("prompt").GetString()!,
            NegativePrompt = json.GetProperty("negative_prompt").GetString(),
            Seed = json.GetProperty("seed").GetInt64(),
            Steps = json.GetProperty("num_inference_steps").GetInt32(),
            Guidance = json.GetProperty("guidance_scale").GetDouble(),
            Width = json.GetProperty("width").GetInt32(),
            Height = json.GetProperty("height").GetInt32(),
        };
    }

    public static BrushMask Mask(string file, string name)
    {
        var (cells, shape) = GoldenTensors.Values<float>(file, name);
        return BrushMask.FromCells(shape[0], shape[1], cells);
    }

    public void Dispose()
    {
        foreach (var model in _loaded.Values)
            model.Dispose();
    }

    /// <summary>The golden model with a run's scheduler, on one thread.</summary>
    public static ModelOptions Options(string run) => new()
    {
        Folder = Goldens.At("model"),
        SaeFolder = Goldens.At("saes"),
        SchedulerFolder = Goldens.At(Scheduler(run).Split('/')),
        Device = TestDevice.Current,
        Threads = 1,
    };

    private static string Scheduler(string run) => Run(run).GetProperty("scheduler").GetString()!;
}
