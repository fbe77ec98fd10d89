using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Prompts as SDXL's U-Net takes them.</summary>
/// <param name="Hidden">[B, L, D1 + D2]: penultimate states of both encoders side by side.</param>
/// <param name="Pooled">[B, P]: the second encoder's projected state at the end token.</param>
public sealed record TextEncoding(Tensor Hidden, Tensor Pooled) : IDisposable
{
    public void Dispose()
    {
        Hidden.Dispose();
        Pooled.Dispose();
    }
}
