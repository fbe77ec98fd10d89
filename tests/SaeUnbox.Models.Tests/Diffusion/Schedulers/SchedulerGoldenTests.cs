using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class SchedulerGoldenTests
{
    // Which configuration the names of schedulers.json stand for.
    private static readonly Dictionary<string, string[]> Folders = new()
    {
        ["euler_ancestral_trailing"] = ["model", "scheduler"],
        ["euler_leading"] = ["scheduler_base"],
    };

    public static TheoryData<string> Cases => [.. Goldens.Json("schedulers.json").EnumerateObject().Select(p => p.Name)];

    [Theory, MemberData(nameof(Cases))]
    public void Schedule_GoldenSteps_HasTheReferenceNumbers(string name)
    {
        var expected = Goldens.Json("schedulers.json").GetProperty(name);
        var schedule = SchedulerOf(name);
        Assert.Equal(Floats(expected, "timesteps"), schedule.Timesteps);
        var sigmas = Floats(expected, "sigmas");
        Assert.Equal(sigmas.Length, schedule.Sigmas.Count);
        Assert.All(sigmas.Zip(schedule.Sigmas), pair => Assert.Equal(pair.First, pair.Second, 1e-6f));
        Assert.Equal(expected.GetProperty("init_noise_sigma").GetSingle(), schedule.InitialNoiseSigma, 1e-6f);
    }

    [Fact]
    public void Schedule_EitherScheduler_HasTheReferenceAlphas()
    {
        using var scope = torch.NewDisposeScope();
        using var file = Checkpoint.Open(Goldens.At("schedulers.safetensors"));
        var alphas = torch.tensor(NoiseSchedule.CumulativeAlphas(Config(Folders.Keys.First())));
        TensorAssert.Close(file.Read("alphas_cumprod"), alphas, 1e-7);
    }

    [Theory, MemberData(nameof(Cases))]
    public void Step_WholeRun_GivesTheReferenceLatents(string name)
    {
        using var scope = torch.NewDisposeScope();
        using var file = Checkpoint.Open(Goldens.At("schedulers.safetensors"));
        var scheduler = SchedulerOf(name);
        var (latents, scaled) = (file.Read($"{name}/latents"), file.Read($"{name}/scaled"));
        var outputs = file.Read($"{name}/model_output");
        Assert.Equal(file.Entries.ContainsKey($"{name}/noise"), scheduler.DrawsNoise(0));
        var noise = scheduler.DrawsNoise(0) ? file.Read($"{name}/noise") : null;
        var current = latents[0];
        for (var i = 0; i < scheduler.Timesteps.Count; i++)
        {
            TensorAssert.Close(scaled[i], scheduler.ScaleInput(current, i), 5e-5);
            current = scheduler.Step(outputs[i], i, current, noise?[i]);
            TensorAssert.Close(latents[i + 1], current, 5e-5);
        }
    }

    private static EulerScheduler SchedulerOf(string name)
    {
        var parts = name.Split('/');
        return new(Config(parts[0]), int.Parse(parts[1]));
    }

    private static SchedulerConfig Config(string name) =>
        SchedulerConfig.From(JsonConfig.Load(Goldens.At([.. Folders[name], "scheduler_config.json"])));

    private static float[] Floats(System.Text.Json.JsonElement element, string key) =>
        [.. element.GetProperty(key).EnumerateArray().Select(e => e.GetSingle())];
}
