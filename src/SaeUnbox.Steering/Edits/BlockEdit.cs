using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>
/// A change of what a block returns, from its input and its output, both [batch, d, h, w]. Neither is written to. Edits
/// are made once and applied at every step, so they hold their tensors until disposed.
/// </summary>
public abstract class BlockEdit : IDisposable
{
    /// <summary>The block's new output, of the old one's dtype and device.</summary>
    public abstract Tensor Apply(Tensor input, Tensor output);

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
    }

    /// <summary>output - input, channels last in float32: [batch, h, w, d].</summary>
    public static Tensor Difference(Tensor input, Tensor output) =>
        (output.to(ScalarType.Float32) - input.to(ScalarType.Float32)).permute(0, 2, 3, 1);

    /// <summary>[..., h, w, d] float32 as the block has it: [batch, d, h, w] in its dtype.</summary>
    internal static Tensor ChannelsFirst(Tensor values, Tensor like) =>
        values.permute(0, 3, 1, 2).to(like.device).to(like.dtype);

    /// <summary>Throws where a mask [h, w] does not cover exactly the grid of a block's output.</summary>
    internal static void RequireGrid(Tensor? mask, Tensor output)
    {
        if (mask is not null && (mask.shape[^2] != output.shape[2] || mask.shape[^1] != output.shape[3]))
            throw new SaeException(
                $"The mask has {mask.shape[^2]} x {mask.shape[^1]} cells, the block's grid is {output.shape[2]} x {output.shape[3]}.");
    }
}

/// <summary>What an edit does to the halves of a guided batch, which is [unconditional, conditional].</summary>
public enum Guidance
{
    /// <summary>No guidance: every picture of the batch is edited alike.</summary>
    None,

    /// <summary>The conditional half gains what the unconditional half loses.</summary>
    Contrast,

    /// <summary>The unconditional half is left as it is.</summary>
    ConditionalOnly,
}
