using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

/// <summary>SD 1.x and 2.x: small models of both forms against formulas in float64.</summary>
public sealed class SdPipelineTests : IDisposable
{
    private const string Prompt = "a cat with a hat";

    private static readonly ImageRequest Request =
        new() { Prompts = [Prompt], Seeds = [3], Steps = 5, Guidance = 7.5, Height = 64, Width = 128 };

    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("PNDM", 1)]
    [InlineData("PNDM", 2)]
    [InlineData("PNDM", 7)]
    [InlineData("DDIM", 1)]
    [InlineData("DDIM", 4)]
    [InlineData("Euler", 1)]
    [InlineData("Euler", 3)]
    public void Generate_FirstForm_IsThatOfTheFormulas(string sampler, int steps)
    {
        TinySd.WriteFirst(_folder.Path, sampler switch
        {
            "Euler" => TinySd.Turbo,
            "DDIM" => TinySd.Ddim.Replace("v_prediction", "epsilon"),
            _ => TinySd.Pndm,
        });
        Check(sampler, velocity: false, Request with { Steps = steps }, 4, 4, 4, 4);
        Check(sampler, velocity: false, Request with { Steps = steps, Guidance = 0 }, 4, 4, 4, 4);
    }

    [Theory]
    [InlineData("PNDM", 6)]
    [InlineData("DDIM", 5)]
    [InlineData("Euler", 2)]
    public void Generate_SecondForm_IsThatOfTheFormulas(string sampler, int steps)
    {
        TinySd.WriteSecond(_folder.Path, sampler switch
        {
            "Euler" => TinySd.Turbo.Replace("epsilon", "v_prediction"),
            "DDIM" => TinySd.Ddim,
            _ => TinySd.Pndm.Replace("\"steps_offset\"", "\"prediction_type\": \"v_prediction\", \"steps_offset\""),
        });
        Check(sampler, velocity: true, Request with { Steps = steps }, 2, 3, 5, 5);
    }

    [Fact]
    public void Generate_SchedulerWithoutOffsetThatClips_IsRunAsDiffusersDoes()
    {
        TinySd.WriteFirst(_folder.Path, TinySd.Ddim.Replace("v_prediction", "epsilon")
            .Replace("\"steps_offset\": 1", "\"steps_offset\": 0").Replace("\"clip_sample\": false", "\"clip_sample\": true"));
        Check("DDIM", velocity: false, Request, 4, 4, 4, 4);
    }

    [Theory]
    [InlineData(false, "last_1")]
    [InlineData(true, "last_2")]
    public void Encode_GoldenPrompt_IsTheLastStateAfterTheNorm(bool second, string golden)
    {
        using var scope = NewDisposeScope();
        if (second)
            TinySd.WriteSecond(_folder.Path);
        else
            TinySd.WriteFirst(_folder.Path);
        using var pipeline = DiffusionPipeline.Load(_folder.Path);
        var prompt = Goldens.Json("text.json").GetProperty("prompts")[0].GetString()!;
        var conditioning = pipeline.Encode(Request with { Prompts = [prompt] });
        Assert.Null(conditioning.Pooled);
        Assert.Null(conditioning.TimeIds);
        TensorAssert.Close(GoldenTensors.Read("text.safetensors", $"0/{golden}"), conditioning.Hidden.narrow(0, 1, 1), Limit.TextStates);
        var empty = pipeline.Encode(Request with { Prompts = [""], Guidance = 0 }).Hidden;
        TensorAssert.Close(empty, conditioning.Hidden.narrow(0, 0, 1), Limit.TextStates);
        Assert.True(empty.abs().max().item<float>() > 0);
    }

    [Fact]
    public void Sites_AreAllTransformersInTheOrderOfAPass()
    {
        TinySd.WriteFirst(_folder.Path);
        using var model = SteerableModels.Load(_folder.Path);
        Assert.Equal(
            "down.0.0 down.0.1 down.1.0 down.1.1 down.2.0 down.2.1 mid.0 "
            + "up.1.0 up.1.1 up.1.2 up.2.0 up.2.1 up.2.2 up.3.0 up.3.1 up.3.2",
            string.Join(' ', model.Sites.Select(shape => shape.Site)));
        Assert.Equal(new SiteShape(Site.Up(1, 1), 40, 4) { Nickname = "objects" }, model.ShapeOf(Site.Up(1, 1)));
        Assert.Equal([Site.Up(1, 1), Site.Up(1, 2)], model.KnownSites());
        Assert.Equal(new SiteShape(Site.Mid(0), 40, 8), model.ShapeOf(Site.Mid(0)));
    }

    [Theory]
    [InlineData(TinySd.Pndm, 50, 7.5)]
    [InlineData(TinySd.Ddim, 50, 7.5)]
    [InlineData(TinySd.Turbo, 1, 0)]
    public void Defaults_AreThoseOfTheModel(string scheduler, int steps, double guidance)
    {
        TinySd.WriteSecond(_folder.Path, scheduler);
        using var model = SteerableModels.Load(_folder.Path);
        Assert.Equal(new RunDefaults(steps, guidance, 16 * 8), model.Defaults);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Run_ResumedFromAnyStepAndSite_IsTheWholeRunBitForBit(bool second)
    {
        using var scope = NewDisposeScope();
        if (second)
            TinySd.WriteSecond(_folder.Path);
        else
            TinySd.WriteFirst(_folder.Path);
        using var pipeline = DiffusionPipeline.Load(_folder.Path);
        using var run = pipeline.Begin(Request);
        var whole = run.Denoise().ToList();
        for (var step = 0; step < Request.Steps; step++)
            TensorAssert.Same(whole[^1].After, run.Denoise(step, whole[step].Before).Last().After);
        Site[] sites = [.. pipeline.Sites.Select(shape => shape.Site)];
        var input = run.InputOf(2, whole[2].Before);
        using var pass = pipeline.Run(input, sites);
        Assert.All(sites, site => TensorAssert.Same(pass.Output!, pipeline.Resume(pass.States[site])));
    }

    [Theory]
    [InlineData("StableDiffusion3Pipeline")]
    [InlineData("StableDiffusionUpscalePipeline")]
    [InlineData("KandinskyPipeline")]
    public void Load_OtherPipeline_NamesTheSupportedOnes(string name)
    {
        TinySd.WriteFirst(_folder.Path);
        Change("model_index.json", "StableDiffusionPipeline", name);
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(_folder.Path)).Message;
        Assert.Contains(name, message);
        Assert.Contains("StableDiffusionPipeline", message);
        Assert.Contains("StableDiffusionXLPipeline", message);
    }

    [Fact]
    public void Load_OneEncoderForAModelOfTwo_SaysWhatIsMissing()
    {
        TinySd.WriteFirst(_folder.Path);
        Change("model_index.json", "StableDiffusionPipeline", "StableDiffusionXLPipeline");
        var message = Assert.Throws<ModelException>(() => DiffusionPipeline.Load(_folder.Path)).Message;
        Assert.Contains("text_encoder_2", message);
        Assert.Contains("tokenizer_2", message);
    }

    [Fact]
    public void Load_TwoEncodersForAUNetThatTakesOne_SaysWhatIsMissing()
    {
        TinySd.WriteFirst(_folder.Path);
        Change("model_index.json", "StableDiffusionPipeline", "StableDiffusionXLPipeline");
        foreach (var part in (string[])["text_encoder_2", "tokenizer_2"])
            Directory.CreateSymbolicLink(_folder.At(part), Goldens.At("model", part));
        Assert.Contains("addition_embed_type", Assert.Throws<ModelException>(() => DiffusionPipeline.Load(_folder.Path)).Message);
    }

    private void Check(string sampler, bool velocity, ImageRequest request, params int[] heads)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        using var pipeline = DiffusionPipeline.Load(_folder.Path);
        var naive = new NaiveSd(_folder.Path, heads);
        using var run = pipeline.Begin(request);
        var latents = pipeline.Generate(request).Latents;
        var texts = pipeline.Encode(request).Hidden.chunk(request.IsGuided ? 2 : 1, 0);
        var expected = naive.Run(sampler, velocity, request.Steps, run.StartNoise, request.Guidance, texts);
        TensorAssert.RelativelyClose(expected, latents, 1e-4);
    }

    private void Change(string file, string from, string to)
    {
        var text = File.ReadAllText(_folder.At(file));
        Assert.Contains(from, text);
        File.WriteAllText(_folder.At(file), text.Replace(from, to));
    }
}
