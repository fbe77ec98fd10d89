using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>Reads what a block did in the words of its autoencoder.</summary>
public static class ActivationReader
{
    /// <summary>The active features of one picture of the batch.</summary>
    /// <param name="sae">The site's autoencoder.</param>
    /// <param name="site">The site.</param>
    /// <param name="step">The denoising step, from 0.</param>
    /// <param name="input">The block's input, [batch, d, h, w].</param>
    /// <param name="output">The block's output, [batch, d, h, w].</param>
    /// <param name="picture">Which of the batch; under guidance the conditional half follows the unconditional one.</param>
    public static SiteActivations Read(SparseAutoencoder sae, HookSite site, int step, Tensor input, Tensor output, int picture = 0)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        if (picture < 0 || picture >= output.shape[0])
            throw new SaeException($"Picture {picture} does not exist in a batch of {output.shape[0]}.");
        var difference = BlockEdit.Difference(input.narrow(0, picture, 1), output.narrow(0, picture, 1));
        using var codes = sae.Encode(difference);
        return new SiteActivations(
            site,
            step,
            (int)output.shape[2],
            (int)output.shape[3],
            codes.Features,
            codes.Indices.to(ScalarType.Int32).cpu().data<int>().ToArray(),
            codes.Values.cpu().data<float>().ToArray())
        {
            ExplainedVariance = ExplainedVariance.PerChannel(sae.Decode(codes), difference),
        };
    }
}
