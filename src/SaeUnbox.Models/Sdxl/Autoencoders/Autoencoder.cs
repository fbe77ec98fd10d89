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

/// <summary>Loads an autoencoder of either kind from its folder.</summary>
public static class Autoencoder
{
    /// <summary>Where the tiny autoencoder of a model may lie, the first that is there counts: in the model's folder, or beside it.</summary>
    public static IReadOnlyList<string> TinyFolders(string model) =>
        [Path.Combine(model, "vae_tiny"), Path.GetFullPath(Path.Combine(Path.GetFullPath(model), "..", "vae_tiny"))];

    /// <summary>Loads the autoencoder whose kind the folder's config.json names.</summary>
    /// <param name="folder">A folder with config.json and weights under one of diffusers' file names.</param>
    /// <param name="precision">A force_upcast autoencoder runs in float32 where this is float16, whose range it leaves.</param>
    /// <param name="tiling">Null: the autoencoder's own choice.</param>
    /// <exception cref="ModelException">The folder or its config.json cannot be used.</exception>
    /// <exception cref="CheckpointException">The weights cannot be used.</exception>
    public static (IAutoencoder Module, Weights Weights) Load(string folder, Precision precision, Tiling? tiling = null)
    {
        var json = JsonConfig.Load(Path.Combine(folder, "config.json"));
        var kind = json.Choice("_class_name", nameof(AutoencoderKL), nameof(AutoencoderKL), nameof(AutoencoderTiny));
        using var checkpoint = Checkpoint.OpenFolder(folder, preferHalf: precision.Storage == ScalarType.Float16);
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
