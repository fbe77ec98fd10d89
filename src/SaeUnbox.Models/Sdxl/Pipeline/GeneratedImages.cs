using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>What a request gave.</summary>
/// <param name="Latents">The final latents, [B, C, h, w].</param>
/// <param name="Images">The pictures, [B, 3, H, W], 0 … 1, float32; <see cref="Pixels.ToBytes"/> rounds them.</param>
public sealed record GeneratedImages(Tensor Latents, Tensor Images);
