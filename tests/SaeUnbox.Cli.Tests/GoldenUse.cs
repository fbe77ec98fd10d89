using System.Text.Json;
using SaeUnbox.Testing;

namespace SaeUnbox.Cli.Tests;

/// <summary>The golden runs as command-line arguments.</summary>
internal static class GoldenUse
{
    public static IReadOnlyList<string> Runs { get; } = [.. Goldens.Json("runs", "runs.json").EnumerateObject().Select(run => run.Name)];

    /// <summary>The run with the fewest pixels.</summary>
    public static string Smallest { get; } =
        Runs.MinBy(run => Number(run, "width") * Number(run, "height") * Number(run, "num_inference_steps"))!;

    public static int Number(string run, string field) => Run(run).GetProperty(field).GetInt32();

    public static JsonElement Run(string run) => Goldens.Json("runs", "runs.json").GetProperty(run);

    /// <summary>The arguments for a run: model, autoencoders, prompt, seed, steps, guidance and size.</summary>
    public static string[] Words(string run)
    {
        var json = Run(run);
        string[] negative = json.GetProperty("negative_prompt").GetString() is { } text ? ["--negative", text] : [];
        return
        [
            .. Saeunbox.GoldenModel, "--dtype", "fp32", "--scheduler", Goldens.At(json.GetProperty("scheduler").GetString()!.Split('/')),
            "--prompt", json.GetProperty("prompt").GetString()!, .. negative, "--seed", json.GetProperty("seed").GetRawText(),
            "--steps", json.GetProperty("num_inference_steps").GetRawText(), "--guidance", json.GetProperty("guidance_scale").GetRawText(),
            "--width", json.GetProperty("width").GetRawText(), "--height", json.GetProperty("height").GetRawText(),
        ];
    }

    /// <summary>Tolerance for the latents of a run in another correct implementation.</summary>
    public static Limit Tolerance(string run) => Limit.Latents(Run(run).GetProperty("guidance_scale").GetDouble() > 1);

    /// <summary>The sites that have an autoencoder.</summary>
    public static IReadOnlyList<Site> Sites { get; } =
        [.. Goldens.Json("saes.json").GetProperty("folders").EnumerateObject().Select(entry => Site.Parse(entry.Name)).Order()];

    public static (int Rows, int Columns) Grid(string run)
    {
        var shape = GoldenTensors.Shape($"runs/{run}.safetensors", $"{Sites[0].ModulePath}/output");
        return ((int)shape[^2], (int)shape[^1]);
    }
}
