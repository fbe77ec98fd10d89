using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>
/// output + beta * mask * z_f * d_f: -1 removes a feature, 1 doubles it. Under guidance each half has its own z_f, so the
/// feature changes in both.
/// </summary>
internal sealed class ScaleEdit(SparseAutoencoder sae, int feature, float beta, Tensor? mask) : BlockEdit
{
    private readonly Tensor? _mask = mask?.DetachFromDisposeScope();

    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        RequireGrid(_mask, output);
        using var codes = sae.Encode(Difference(input, output));
        var amount = codes.Map(feature).Times(beta);
        if (_mask is not null)
            amount = amount * _mask;
        var delta = amount.unsqueeze(-1) * sae.Direction(feature);
        return output.Plus(ChannelsFirst(delta, output)).MoveToOuterDisposeScope();
    }

    protected override void Dispose(bool disposing) => _mask?.Dispose();
}

/// <summary>input + W_d z + b_pre: what the autoencoder believes the block does.</summary>
internal sealed class ReconstructEdit(SparseAutoencoder sae) : BlockEdit
{
    public override Tensor Apply(Tensor input, Tensor output)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        return input.Plus(ChannelsFirst(sae.Reconstruct(Difference(input, output)), input)).MoveToOuterDisposeScope();
    }
}

/// <summary>The block does nothing: its input passes through.</summary>
internal sealed class AblateEdit : BlockEdit
{
    public override Tensor Apply(Tensor input, Tensor output) => input.alias();
}
