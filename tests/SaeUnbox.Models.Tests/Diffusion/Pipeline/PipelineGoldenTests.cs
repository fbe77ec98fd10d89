using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class PipelineGoldenTests
{
    public static TheoryData<string> Runs => [.. GoldenRun.Names];

    [Theory, MemberData(nameof(Runs))]
    public void Denoise_GoldenRun_GivesTheReferenceLatentsAndPicture(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(name);
        using var pipeline = golden.LoadPipeline();
        using var run = pipeline.Begin(golden.Request);
        TensorAssert.Close(golden.File.Read("noise"), run.StartNoise, 2e-6);

        var expected = golden.File.Read("step_latents");
        Tensor? latents = null;
        foreach (var step in run.Denoise())
        {
            TensorAssert.Close(expected[step.Index], step.After[0], golden.LatentsTolerance);
            latents = step.After;
        }

        TensorAssert.Close(golden.File.Read("latents"), latents!, golden.LatentsTolerance);
        AssertPicture(golden.PicturePath, Pixels.ToBytes(pipeline.Decode(latents!)));
    }

    [Theory, MemberData(nameof(Runs))]
    public void Denoise_GoldenRun_GivesTheReferenceBlockInputsAndOutputs(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(name);
        using var pipeline = golden.LoadPipeline();
        var sites = pipeline.UNet.Sites.Where(s => golden.File.Entries.ContainsKey($"{s.Site.ModulePath}/input")).ToArray();
        Assert.NotEmpty(sites);
        using var run = pipeline.Begin(golden.Request);
        var seen = new List<Dictionary<string, (Tensor Input, Tensor Output)>>();
        var hooks = sites.Select(site => pipeline.UNet.Hook(site.Site, (input, output) =>
        {
            seen[^1].Add(site.Site.Code, (input.clone().DetachFromDisposeScope(), output.clone().DetachFromDisposeScope()));
            return output;
        })).ToArray();
        _ = run.Denoise(predict: (input, cancellation) =>
        {
            seen.Add([]);
            return pipeline.UNet.Forward(input.Sample, input.Timestep, input.Conditioning, cancellation);
        }).Count();
        Array.ForEach(hooks, h => h.Dispose());

        Assert.Equal(golden.Request.Steps, seen.Count);
        foreach (var site in sites)
        {
            AssertBlock(golden, $"{site.Site.ModulePath}/input", stack(seen.Select(s => s[site.Site.Code].Input), 1));
            AssertBlock(golden, $"{site.Site.ModulePath}/output", stack(seen.Select(s => s[site.Site.Code].Output), 1));
        }
    }

    [Theory, MemberData(nameof(Runs))]
    public void Generate_OtherPrompts_GiveTheReferenceLatents(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(name);
        using var pipeline = golden.LoadPipeline();
        (string Tensor, ImageRequest Request)[] others =
        [
            ("latents_negative_empty_string", golden.Request with { NegativePrompts = [""] }),
            ("latents_prompt_empty", golden.Request with { Prompts = [""] }),
        ];
        foreach (var (tensor, request) in others.Where(o => golden.File.Entries.ContainsKey(o.Tensor)))
        {
            using var run = pipeline.Begin(request);
            TensorAssert.Close(golden.File.Read(tensor), run.Denoise().Last().After, golden.LatentsTolerance);
        }
    }

    [Theory, MemberData(nameof(Runs))]
    public void Noise_StepsOfAGoldenRun_EqualTheReference(string name)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(name);
        if (!golden.File.Entries.ContainsKey("step_noise"))
            return;

        var expected = golden.File.Read("step_noise");
        using var noise = new NoiseSequence(golden.Request.Seeds, [1, .. expected.shape[1..]], ScalarType.Float32, t => t.alias());
        for (var i = 0; i < expected.shape[0]; i++)
            TensorAssert.Close(expected[i], noise[i + 1][0], 2e-6);
    }

    private static void AssertBlock(GoldenRun golden, string name, Tensor actual) =>
        TensorAssert.Close(golden.File.Read(name), actual, golden.Request.IsGuided ? Limit.GuidedBlock : Limit.Block);

    private static void AssertPicture(string path, Tensor bytes)
    {
        var picture = Picture.Decode(System.IO.File.ReadAllBytes(path)).ToRgb();
        var expected = tensor(picture.Pixels.ToArray(), dtype: int32).view(1, picture.Height, picture.Width, 3);
        TensorAssert.SameShape(expected, bytes);
        var off = (expected - bytes.to(int32)).abs();
        Assert.True(off.max().item<int>() <= 1, $"a value is {off.max().item<int>()} off");
        Assert.True(off.to_type(ScalarType.Bool).sum().item<long>() <= off.numel() / 50,
            $"{off.to_type(ScalarType.Bool).sum().item<long>()} of {off.numel()} values are off");
    }
}
