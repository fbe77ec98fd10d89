using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>Converts between images and the latents of the U-Net.</summary>
public interface IAutoencoder
{
    /// <summary>Channels of the latents.</summary>
    int LatentChannels { get; }

    /// <summary>Side of the image over side of the latents.</summary>
    int PixelsPerCell { get; }

    /// <summary>The type of the weights and of the arithmetic.</summary>
    ScalarType DType { get; }

    /// <summary>Decodes the pipeline's latents.</summary>
    /// <param name="latents">[B, C, h, w], scaled.</param>
    /// <param name="cancellation">Checked between blocks.</param>
    /// <returns>[B, 3, H, W], float32; black is -1 and white is 1. Values are not clamped.</returns>
    Tensor Decode(Tensor latents, CancellationToken cancellation = default);

    /// <summary>Encodes an image to the pipeline's latents: the mean, if the encoder returns a distribution.</summary>
    /// <param name="image">[B, 3, H, W], from -1 to 1; the sides are multiples of <see cref="PixelsPerCell"/>.</param>
    /// <param name="cancellation">Checked between blocks.</param>
    /// <returns>[B, C, h, w], scaled, float32.</returns>
    Tensor Encode(Tensor image, CancellationToken cancellation = default);
}

/// <summary>Loads an <see cref="AutoencoderKL"/> or an <see cref="AutoencoderTiny"/>.</summary>
public static class Autoencoder
{
    /// <summary>
    /// Where to look for the tiny autoencoder of a model, in this order: vae_tiny in its folder, vae_tiny next to its folder.
    /// </summary>
    public static IReadOnlyList<string> TinyFolders(string model) =>
        [Path.Combine(model, "vae_tiny"), Path.GetFullPath(Path.Combine(Path.GetFullPath(model), "..", "vae_tiny"))];

    /// <summary>Loads the autoencoder in a folder.</summary>
    /// <param name="folder">Holds config.json and the weights under a file name that diffusers uses.</param>
    /// <param name="precision">
    /// An autoencoder with force_upcast runs in float32 if this is float16, because its activations overflow.
    /// </param>
    /// <param name="tiling">Null for the default of the autoencoder.</param>
    /// <exception cref="ModelException">The folder or its config.json is not usable.</exception>
    /// <exception cref="CheckpointException">The weights are not usable.</exception>
    public static (IAutoencoder Module, Weights Weights) Load(string folder, Precision precision, Tiling? tiling = null)
    {
        using var part = ModelPart.OpenFolder(folder, precision.PrefersHalf);
        return Load(part, precision, tiling);
    }

    internal static (IAutoencoder Module, Weights Weights) Load(ModelPart part, Precision precision, Tiling? tiling)
    {
        var (json, checkpoint) = part;
        var kind = json.Choice("_class_name", nameof(AutoencoderKL), nameof(AutoencoderKL), nameof(AutoencoderTiny));
        if (kind == nameof(AutoencoderTiny))
        {
            var tiny = AutoencoderTinyConfig.From(json);
            return precision.Load<IAutoencoder>(checkpoint, weights => tiling is null
                ? new AutoencoderTiny(weights, tiny)
                : new AutoencoderTiny(weights, tiny) { Tiling = tiling });
        }

        var config = AutoencoderKLConfig.From(json);
        var upcast = config.ForceUpcast && precision.Storage == ScalarType.Float16 && precision.Arithmetic != ScalarType.Float32;
        return (upcast ? precision with { Arithmetic = ScalarType.Float32 } : precision).Load<IAutoencoder>(
            RenamedSource.WithPresentAttentionNames(checkpoint),
            weights => new AutoencoderKL(weights, config) { Tiling = tiling ?? Tiling.Default });
    }
}
