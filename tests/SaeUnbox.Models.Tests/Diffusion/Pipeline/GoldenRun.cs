using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Models.Tests;

/// <summary>A run of runs.json, with everything it was made with.</summary>
internal sealed class GoldenRun : IDisposable
{
    private readonly JsonElement _json;

    public GoldenRun(string name)
    {
        Name = name;
        _json = Goldens.Json("runs", "runs.json").GetProperty(name);
        File = Checkpoint.Open(Goldens.At("runs", $"{name}.safetensors"));
    }

    public static IReadOnlyList<string> Names { get; } = [.. Goldens.Json("runs", "runs.json").EnumerateObject().Select(p => p.Name)];

    /// <summary>A small run of several steps.</summary>
    public static string ShortestOfSeveralSteps { get; } = Goldens.Json("runs", "runs.json").EnumerateObject()
        .Where(p => p.Value.GetProperty("num_inference_steps").GetInt32() > 2)
        .MinBy(p => p.Value.GetProperty("num_inference_steps").GetInt32()).Name;

    public string Name { get; }

    public Checkpoint File { get; }

    public string PicturePath => Goldens.At(_json.GetProperty("image").GetString()!.Split('/'));

    public ImageRequest Request => new()
    {
        Prompts = [_json.GetProperty("prompt").GetString()!],
        NegativePrompts = _json.GetProperty("negative_prompt").GetString() is { } negative ? [negative] : null,
        Seeds = [_json.GetProperty("seed").GetInt64()],
        Steps = _json.GetProperty("num_inference_steps").GetInt32(),
        Guidance = _json.GetProperty("guidance_scale").GetDouble(),
        Height = _json.GetProperty("height").GetInt32(),
        Width = _json.GetProperty("width").GetInt32(),
    };

    /// <summary>What another correct implementation may differ by in the final latents.</summary>
    public Limit LatentsTolerance => Limit.Latents(Request.IsGuided);

    public DiffusionPipeline LoadPipeline(PipelineOptions? options = null) =>
        DiffusionPipeline.Load(Goldens.At("model"), (options ?? new()) with
        {
            Device = TestDevice.Current,
            SchedulerFolder = Goldens.At(_json.GetProperty("scheduler").GetString()!.Split('/')),
        });

    public void Dispose() => File.Dispose();
}
