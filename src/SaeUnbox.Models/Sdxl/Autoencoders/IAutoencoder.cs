using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Between images and the latents the U-Net works on.</summary>
public interface IAutoencoder
{
    /// <summary>Channels of the latents.</summary>
    int LatentChannels { get; }

    /// <summary>Pixels on a side of the image for one cell of the latents.</summary>
    int PixelsPerCell { get; }

    /// <summary>The dtype the arithmetic runs in.</summary>
    ScalarType DType { get; }

    /// <summary>Decodes latents as the pipeline holds them.</summary>
    /// <param name="latents">[B, C, h, w], scaled.</param>
    /// <param name="cancellation">Looked at between the blocks.</param>
    /// <returns>[B, 3, H, W], float32, black at -1 and white at 1, not clamped.</returns>
    Tensor Decode(Tensor latents, CancellationToken cancellation = default);

    /// <summary>Encodes an image to the latents the pipeline would hold (the mean, where the encoder gives a distribution).</summary>
    /// <param name="image">[B, 3, H, W], -1 to 1, sides multiples of <see cref="PixelsPerCell"/>.</param>
    /// <param name="cancellation">Looked at between the blocks.</param>
    /// <returns>[B, C, h, w], scaled, float32.</returns>
    Tensor Encode(Tensor image, CancellationToken cancellation = default);
}
