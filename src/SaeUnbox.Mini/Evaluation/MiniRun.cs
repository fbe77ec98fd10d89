using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>A batch that ran once, and can go on from any site with an edit there.</summary>
internal sealed class MiniRun : IDisposable
{
    private readonly UNet _unet;
    private readonly DenoisingRun _run;
    private UNetRun? _held;

    /// <param name="run">Owned from now on.</param>
    public MiniRun(UNet unet, DenoisingRun run)
    {
        (_unet, _run) = (unet, run);
        Latents = Predict(input =>
        {
            _held = unet.Run(input.Sample, input.Timestep, input.Conditioning, [.. MiniSites.All]);
            return _held.Output!;
        }).DetachFromDisposeScope();
    }

    /// <summary>Clean latents without any edit, [B, 4, 64, 64]; the run's own.</summary>
    public Tensor Latents { get; }

    /// <summary>What a site adds to its input, channels last in float32: [B, 16, 16, d].</summary>
    public Tensor Difference(HookSite site)
    {
        using var scope = NewDisposeScope();
        var state = _held!.States[site.Code];
        return BlockEdit.Difference(state.Input, state.Output).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Clean latents with an edit at a site.</summary>
    public Tensor Edited(HookSite site, BlockEdit edit)
    {
        using var hook = _unet.Hook(site.Code, edit.Apply);
        return Predict(_ => _unet.Resume(_held!.States[site.Code]));
    }

    public void Dispose()
    {
        Latents.Dispose();
        _held?.Dispose();
        _run.Dispose();
    }

    private Tensor Predict(Func<DenoisingInput, Tensor> predict)
    {
        using var scope = NewDisposeScope();
        return _run.Denoise(predict: (input, _) => predict(input)).Single().After.MoveToOuterDisposeScope();
    }
}
