using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>The configurations of the published models: exactly their tensors are asked for, and every key is understood.</summary>
public sealed class FullSizeTests
{
    [Theory]
    [InlineData("unet")]
    [InlineData("vae")]
    [InlineData("vae_tiny")]
    [InlineData("text_encoder")]
    [InlineData("text_encoder_2")]
    public void Module_FullSizeConfiguration_HasExactlyTheManifestsTensors(string part)
    {
        // A source that has nothing: weights asked of it are only described.
        using var weights = new Weights(new RandomWeights(0, absent: _ => true), float32);
        Build(part, weights, Config(part));
        var expected = Goldens.Json("manifests", $"{part}.json").EnumerateObject()
            .Select(entry => $"{entry.Name} [{string.Join(", ", entry.Value.EnumerateArray())}]").Order(StringComparer.Ordinal);
        var actual = weights.Tensors.Select(entry => $"{entry.Key} [{string.Join(", ", entry.Value.shape)}]").Order(StringComparer.Ordinal);
        Assert.Equal(expected, actual);
    }

    [Theory]
    [InlineData("scheduler", true, TimestepSpacing.Trailing)]
    [InlineData("scheduler_base", false, TimestepSpacing.Leading)]
    public void Scheduler_PublishedConfiguration_Loads(string name, bool ancestral, TimestepSpacing spacing)
    {
        var config = SchedulerConfig.From(Config(name));
        Assert.Equal((ancestral, spacing, 1, PredictionType.Epsilon, true),
            (config.Ancestral, config.Spacing, config.StepsOffset, config.Prediction, config.ScaledLinear));
        Assert.Equal(config.TrainTimesteps, new EulerScheduler(config, config.TrainTimesteps).Timesteps.Count);
    }

    [Theory]
    [InlineData("tokenizer", "<|endoftext|>")]
    [InlineData("tokenizer_2", "!")]
    public void Tokenizer_PublishedConfiguration_Loads(string name, string pad)
    {
        // The published vocabulary is not here; the ids of the special tokens stand in the configuration.
        using var folder = new TemporaryFolder();
        foreach (var file in (string[])["vocab.json", "merges.txt"])
            File.Copy(Goldens.At("model", name, file), folder.At(file));
        File.Copy(Goldens.At("manifests", $"{name}.config.json"), folder.At("tokenizer_config.json"));
        var tokenizer = ClipTokenizer.Load(folder.Path);
        var ids = Goldens.Json("manifests", $"{name}.config.json").GetProperty("added_tokens_decoder").EnumerateObject()
            .ToDictionary(entry => entry.Value.GetProperty("content").GetString()!, entry => int.Parse(entry.Name));
        Assert.Equal((77, ids["<|startoftext|>"], ids["<|endoftext|>"], ids[pad]),
            (tokenizer.MaxLength, tokenizer.StartId, tokenizer.EndId, tokenizer.PadId));
    }

    private static JsonConfig Config(string part) => JsonConfig.Load(Goldens.At("manifests", $"{part}.config.json"));

    private static object Build(string part, Weights weights, JsonConfig config) => part switch
    {
        "unet" => new UNet(weights, UNetConfig.From(config)),
        "vae" => new AutoencoderKL(weights, AutoencoderKLConfig.From(config)),
        "vae_tiny" => new AutoencoderTiny(weights, AutoencoderTinyConfig.From(config)),
        _ => new ClipTextEncoder(weights, ClipTextConfig.From(config), requireProjection: part == "text_encoder_2"),
    };
}
