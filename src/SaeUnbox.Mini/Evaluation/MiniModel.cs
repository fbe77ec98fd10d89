using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>unbox-mini as anybody loads it, run in one step on batches of captioned scenes.</summary>
internal sealed class MiniModel : IDisposable
{
    private readonly SdxlPipeline _pipeline;

    /// <exception cref="ModelException">The folder holds no model whose pictures are the renderer's.</exception>
    public MiniModel(string folder, Device? device = null)
    {
        _pipeline = SdxlPipeline.Load(folder, new SdxlPipelineOptions { Device = device ?? CPU });
        PictureSize = _pipeline.UNet.Config.SampleSize * _pipeline.Autoencoder.PixelsPerCell;
        if (_pipeline.UNet.Config is { SampleSize: 64, InChannels: LatentCode.Channels } && _pipeline.Autoencoder.PixelsPerCell == LatentCode.Patch)
            return;
        _pipeline.Dispose();
        throw new ModelException($"{folder}: holds no unbox-mini, whose latents are 4 x 64 x 64 of 4 pixels each.");
    }

    public static IReadOnlyList<HookSite> Sites { get; } = [.. MiniSites.All.Select(HookSite.Parse)];

    public int PictureSize { get; }

    public Device Device => _pipeline.Precision.Device;

    public IAutoencoder Autoencoder => _pipeline.Autoencoder;

    /// <summary>Runs the scenes and holds the states before each site.</summary>
    public MiniRun Run(IReadOnlyList<CaptionedScene> scenes) => new(_pipeline.UNet, _pipeline.Begin(new ImageRequest
    {
        Prompts = [.. scenes.Select(scene => scene.Caption)], Seeds = [.. scenes.Select(scene => scene.Seed)],
        Height = PictureSize, Width = PictureSize,
    }));

    public void Dispose() => _pipeline.Dispose();
}
