using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>A trained unbox-mini, which runs batches of captioned scenes in one step.</summary>
internal sealed class MiniModel : IDisposable
{
    /// <exception cref="ModelException">The folder does not hold an unbox-mini.</exception>
    public MiniModel(string folder, Device? device = null, Dtype dtype = Dtype.Fp32)
    {
        Pipeline = DiffusionPipeline.Load(folder, new PipelineOptions { Device = device ?? CPU, DType = dtype.ToScalarType() });
        PictureSize = Pipeline.UNet.Config.SampleSize * Pipeline.Autoencoder.PixelsPerCell;
        if (Pipeline.UNet.Config is { SampleSize: 64, InChannels: LatentCode.Channels }
            && Pipeline.Autoencoder.PixelsPerCell is LatentCode.Patch or 2 * LatentCode.Patch)
            return;
        Pipeline.Dispose();
        throw new ModelException($"{folder}: this is not an unbox-mini, which has latents of 4 x 64 x 64 and 4 or 8 pixels per cell.");
    }

    public DiffusionPipeline Pipeline { get; }

    public static IReadOnlyList<Site> Sites => Site.Named;

    public int PictureSize { get; }

    public Device Device => Pipeline.Precision.Device;

    public IAutoencoder Autoencoder => Pipeline.Autoencoder;

    /// <summary>Runs scenes, and keeps the state at each site.</summary>
    public PictureBatch Run(IReadOnlyList<CaptionedScene> scenes) => new(Pipeline, RequestOf(scenes), Site.Named);

    public ImageRequest RequestOf(IReadOnlyList<CaptionedScene> scenes) => new()
    {
        Prompts = [.. scenes.Select(scene => scene.Caption)],
        Seeds = [.. scenes.Select(scene => scene.Seed)],
        Height = PictureSize,
        Width = PictureSize,
    };

    public void Dispose() => Pipeline.Dispose();
}

/// <summary>A caption and a seed, and the scene that they describe.</summary>
internal sealed record CaptionedScene(Scene Scene, string Caption, long Seed)
{
    private static readonly long[] NoiseShape = [1, 4, 64, 64];

    public static CaptionedScene Draw(Random random, SceneMix mix) => Draw(random, SceneSampler.Draw(random, mix));

    /// <summary>Draws a caption of the given facts, and a seed.</summary>
    public static CaptionedScene Draw(Random random, SceneFacts facts)
    {
        var seed = random.Next();
        return new(SceneOf(facts, seed), CaptionGrammar.Compose(facts, random), seed);
    }

    /// <summary>The scene that a seed makes of facts.</summary>
    public static Scene SceneOf(SceneFacts facts, long seed)
    {
        using var generator = Noise.CreateGenerator(seed);
        using var noise = Noise.Draw(generator, NoiseShape);
        return new(facts, NoisePatches.Of(noise.data<float>().ToArray()));
    }
}
