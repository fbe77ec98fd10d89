using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>What the U-Net is told of the images. Under guidance the batch is twice the images: first all unconditional ones.</summary>
/// <param name="Hidden">Text states, [B, 77, D].</param>
/// <param name="Pooled">Pooled text, [B, P].</param>
/// <param name="TimeIds">Height, width, crop top, crop left, target height, target width: [B, 6].</param>
public sealed record Conditioning(Tensor Hidden, Tensor Pooled, Tensor TimeIds);
