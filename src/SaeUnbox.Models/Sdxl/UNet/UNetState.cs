using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// A forward pass held just before a site's output is used: its input, its output before any hook of the site, and all that the rest
/// of the walk needs. <see cref="UNet.Resume(UNetState, CancellationToken)"/> goes on from here, any number of times. It shares its
/// tensors with the walk by reference, so it costs only what the walk would have freed; it needs its conditioning alive.
/// </summary>
public sealed class UNetState : IDisposable
{
    internal UNetState(int stage, UNetSite site, Walk walk, Tensor output)
    {
        Stage = stage;
        Site = site;
        Walk = walk;
        Output = output;
    }

    public UNetSite Site { get; }

    /// <summary>What the site was given, [B, C, h, w]. The state's own: not to be written to or disposed.</summary>
    public Tensor Input => Walk.Hidden;

    /// <summary>What the site made of it, before hooks, [B, C, h, w]. The state's own: not to be written to or disposed.</summary>
    public Tensor Output { get; }

    /// <summary>The site's place among the stages.</summary>
    internal int Stage { get; }

    /// <summary>The walk just before the site's stage.</summary>
    internal Walk Walk { get; }

    public void Dispose()
    {
        Walk.Dispose();
        Output.Dispose();
    }
}
