using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>A batch of pictures that ran without edits, and can run again with an edit, from its site on.</summary>
internal sealed class PictureBatch : IDisposable
{
    private readonly ISteerableModel _model;
    private readonly DenoisingRun _run;
    private UNetRun? _held;

    /// <param name="sites">Where edits are made.</param>
    public PictureBatch(ISteerableModel model, ImageRequest request, IReadOnlyCollection<Site> sites)
    {
        (_model, _run) = (model, model.Begin(request));
        Latents = Denoise(input => (_held = model.Run(input, sites)).Output!).DetachFromDisposeScope();
    }

    /// <summary>Clean latents without edits, [B, C, h, w]. They are disposed with the batch.</summary>
    public Tensor Latents { get; }

    /// <summary>Input and output of a site in the first step, [B, d, h, w]; under guidance first those of the negative prompts.</summary>
    public (Tensor Input, Tensor Output) At(Site site) => (_held!.States[site].Input, _held.States[site].Output);

    /// <summary>Output - input of a site, [B, h, w, d] in float32.</summary>
    public Tensor Difference(Site site)
    {
        using var scope = NewDisposeScope();
        var (input, output) = At(site);
        return BlockEdit.Difference(input, output).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Clean latents with an edit at every step, [B, C, h, w].</summary>
    public Tensor Edited(Site site, BlockEdit edit) => Edited([(site, edit)]);

    /// <summary>Clean latents with edits at every step, [B, C, h, w].</summary>
    /// <param name="edits">In the order of the U-Net.</param>
    public Tensor Edited(IReadOnlyList<(Site Site, BlockEdit Edit)> edits)
    {
        using var scope = NewDisposeScope();
        IDisposable[] hooks = [.. edits.Select(one => _model.Hook(one.Site, one.Edit.Apply))];
        try
        {
            return Denoise(_ => _model.Resume(_held!.States[edits[0].Site])).MoveToOuterDisposeScope();
        }
        finally
        {
            foreach (var hook in hooks)
                hook.Dispose();
        }
    }

    public void Dispose()
    {
        Latents.Dispose();
        _held?.Dispose();
        _run.Dispose();
    }

    private Tensor Denoise(Func<DenoisingInput, Tensor> first)
    {
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        return _run.Denoise(predict: (input, cancellation) => input is { Step: 0, IsCorrection: false }
            ? first(input)
            : _model.Run(input, [], cancellation: cancellation).Output!).Last().After.MoveToOuterDisposeScope();
    }
}

/// <summary>Restricts an edit to cells, which differ between the pictures of a batch.</summary>
/// <param name="edit">Disposed with this edit.</param>
/// <param name="cells">[pictures, 1, h, w]. Under guidance both halves of the batch have the same.</param>
internal sealed class MaskedEdit(BlockEdit edit, Tensor cells) : BlockEdit
{
    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var scope = NewDisposeScope();
        var share = cells.to_type(output.dtype).to(output.device).repeat(output.shape[0] / cells.shape[0], 1, 1, 1);
        return output.Plus((edit.Apply(input, output) - output) * share).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing) => edit.Dispose();
}
