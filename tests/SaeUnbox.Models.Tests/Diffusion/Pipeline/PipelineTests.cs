using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class PipelineTests
{
    [Fact]
    public void Denoise_FromAnyStep_EqualsTheWholeRunBitForBit()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = golden.LoadPipeline();
        using var run = pipeline.Begin(golden.Request);
        var whole = run.Denoise().ToArray();
        for (var first = whole.Length - 1; first > 0; first--)
        {
            using var other = pipeline.Begin(golden.Request);
            var rest = other.Denoise(first, whole[first].Before).ToArray();
            Assert.Equal(whole.Length - first, rest.Length);
            TensorAssert.Same(whole[^1].After, rest[^1].After);
        }
    }

    [Fact]
    public void Denoise_ResumedAtASiteOfAStep_EqualsTheWholeEditedRunBitForBit()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = golden.LoadPipeline();
        var unet = pipeline.UNet;
        using var run = pipeline.Begin(golden.Request);
        const int EditedStep = 1;
        foreach (var site in (SiteShape[])[unet.Sites[0], unet.Sites[unet.Sites.Count / 2], unet.Sites[^1]])
        {
            // Painting from step 1 on: once from the beginning, once from the state of step 1 just before the site.
            var edited = run.Denoise(predict: (input, _) => Paint(input)).Last();

            UNetRun? held = null;
            var before = run.Denoise(predict: (input, _) =>
            {
                held?.Dispose();
                held = unet.Run(input.Sample, input.Timestep, input.Conditioning, [site.Site]);
                return held.Output!.alias();
            }).ElementAt(EditedStep);
            var resumed = run.Denoise(EditedStep, before.Before, (input, _) => input.Step == EditedStep ? Resume() : Paint(input)).Last();
            held!.Dispose();
            TensorAssert.Same(edited.After, resumed.After);

            Tensor Paint(DenoisingInput input)
            {
                using var hook = input.Step >= EditedStep ? unet.Hook(site.Site, (_, output) => output.Plus(1)) : null;
                return unet.Forward(input.Sample, input.Timestep, input.Conditioning);
            }

            Tensor Resume()
            {
                using var hook = unet.Hook(site.Site, (_, output) => output.Plus(1));
                return unet.Resume(held!.States[site.Site]);
            }
        }
    }

    [Fact]
    public void Generate_Batch_GivesEachImageAsAlone()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = golden.LoadPipeline();
        var alone = golden.Request with { Steps = 2, Guidance = 3 };
        var batch = alone with { Prompts = [alone.Prompts[0], ""], Seeds = [alone.Seeds[0], long.MaxValue], NegativePrompts = ["", ""] };
        var images = pipeline.Generate(batch);
        Assert.Equal([2, 3, alone.Height, alone.Width], images.Images.shape);
        for (var i = 0; i < 2; i++)
        {
            var single = pipeline.Generate(alone with { Prompts = [batch.Prompts[i]], Seeds = [batch.Seeds[i]], NegativePrompts = [""] });
            TensorAssert.Close(single.Latents, images.Latents.narrow(0, i, 1), golden.LatentsTolerance);
        }
    }

    [Fact]
    public void Generate_OnePromptSeveralSeeds_RepeatsThePrompt()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = golden.LoadPipeline();
        var request = golden.Request with { Steps = 1, Guidance = 0, Seeds = [1, 1, 2] };
        var latents = pipeline.Generate(request).Latents;
        TensorAssert.Close(latents[0], latents[1], golden.LatentsTolerance); // kernels may sum the last rows of a batch in another order
        Assert.True((latents[0] - latents[2]).abs().max().item<float>() > 0.1);
    }

    [Fact]
    public void Generate_Progress_ReportsEachStep()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = golden.LoadPipeline();
        var steps = new List<(int, float)>();
        pipeline.Generate(golden.Request, step => steps.Add((step.Index, step.Timestep)));
        var timesteps = new EulerScheduler(pipeline.Scheduler, golden.Request.Steps).Timesteps;
        Assert.Equal(timesteps.Select((t, i) => (i, t)), steps);
    }

    [Fact]
    public void Generate_CancelledAfterAStep_Stops()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = golden.LoadPipeline();
        using var cancellation = new CancellationTokenSource();
        var steps = 0;
        Assert.Throws<OperationCanceledException>(() => pipeline.Generate(golden.Request, _ =>
        {
            steps++;
            cancellation.Cancel();
        }, cancellation.Token));
        Assert.Equal(1, steps);
    }

    [Fact]
    public void Generate_CancelledInsideTheUNet_StopsBetweenStages()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = golden.LoadPipeline();
        using var cancellation = new CancellationTokenSource();
        var (first, last) = (pipeline.UNet.Sites[0].Site, pipeline.UNet.Sites[^1].Site);
        var reached = false;
        using var cancel = pipeline.UNet.Hook(first, (_, output) =>
        {
            cancellation.Cancel();
            return output;
        });
        using var watch = pipeline.UNet.Hook(last, (_, output) =>
        {
            reached = true;
            return output;
        });
        Assert.Throws<OperationCanceledException>(() => pipeline.Generate(golden.Request, cancellation: cancellation.Token));
        Assert.False(reached);
    }

    // A processor without units for bfloat16 rounds the sums of its products, too, which costs another tenth.
    [Theory]
    [InlineData(ScalarType.Float16, 1e-2)]
    [InlineData(ScalarType.BFloat16, 0.3)]
    public void Generate_HalfPrecision_IsNearFloat32(ScalarType dtype, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.Names[0]);
        using var pipeline = golden.LoadPipeline(new PipelineOptions { DType = dtype });
        using var run = pipeline.Begin(golden.Request);
        var rounded = golden.File.Read("noise").to_type(dtype).to(float32);
        TensorAssert.Same(rounded, run.StartNoise.to(float32));
        TensorAssert.RelativelyClose(golden.File.Read("latents"), run.Denoise().Last().After.to(float32), tolerance);
    }

    [Fact]
    public void Generate_TinyAutoencoder_GivesAPictureOfTheSize()
    {
        using var scope = NewDisposeScope();
        using var golden = new GoldenRun(GoldenRun.ShortestOfSeveralSteps);
        using var pipeline = golden.LoadPipeline(new PipelineOptions { Autoencoder = AutoencoderChoice.Tiny });
        Assert.IsType<AutoencoderTiny>(pipeline.Autoencoder);
        var images = pipeline.Generate(golden.Request).Images;
        Assert.Equal([1, 3, golden.Request.Height, golden.Request.Width], images.shape);
    }
}
