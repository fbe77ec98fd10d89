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

/// <summary>
/// Decodes large latents in overlapping tiles and blends them linearly, so that memory does not grow with the image. Norms and attention
/// see one tile at a time, so the image differs slightly from one decoded whole.
/// </summary>
/// <param name="MaxWholeCells">Latents with more than this many pixels (h * w) are decoded in tiles.</param>
public sealed record Tiling(long MaxWholeCells)
{
    private const double Overlap = 0.25; // share of a tile

    /// <summary>Decodes images of SDXL up to 1024 x 1024 whole, which needs about 5 GB of activations in float32.</summary>
    public static Tiling Default { get; } = new(128 * 128);

    /// <summary>Decodes whole or in tiles. Returns [B, 3, H, W].</summary>
    /// <param name="latents">[B, C, h, w].</param>
    /// <param name="tile">Side of a tile of latents.</param>
    /// <param name="pixelsPerCell">Side of the image over side of the latents.</param>
    /// <param name="decode">Decodes one tile, [B, C, h, w] to [B, 3, H, W].</param>
    public Tensor Decode(Tensor latents, int tile, int pixelsPerCell, Func<Tensor, Tensor> decode)
    {
        var (height, width) = (latents.shape[2], latents.shape[3]);
        if (height * width <= MaxWholeCells || (height <= tile && width <= tile))
            return decode(latents);
        using var scope = NewDisposeScope();
        var overlap = (int)(tile * Overlap);
        var (stride, blend, keep) = (tile - overlap, overlap * pixelsPerCell, (tile - overlap) * pixelsPerCell);
        var rows = new List<Tensor>();
        Tensor[]? above = null;
        for (var y = 0L; y < height; y += stride)
        {
            var row = new List<Tensor>();
            for (var x = 0L; x < width; x += stride)
            {
                using var cell = latents.narrow(2, y, Math.Min(tile, height - y)).narrow(3, x, Math.Min(tile, width - x));
                var decoded = decode(cell);
                if (above is not null)
                    Blend(above[row.Count], decoded, blend, axis: 2);
                if (row.Count > 0)
                    Blend(row[^1], decoded, blend, axis: 3);
                row.Add(decoded);
            }

            rows.Add(cat(row.Select(t => Head(Head(t, keep, 2), keep, 3)).ToArray(), 3));
            above = [.. row];
        }

        return cat(rows, 2).MoveToOuterDisposeScope();
    }

    // Blends the last lines of the previous tile into the first lines of this one, in place.
    private static void Blend(Tensor previous, Tensor tile, int extent, int axis)
    {
        using var scope = NewDisposeScope();
        var lines = Math.Min(extent, Math.Min(previous.shape[axis], tile.shape[axis]));
        if (lines == 0)
            return;
        long[] shape = [1, 1, 1, 1];
        shape[axis] = lines;
        var share = Arithmetic.Range(0, lines, ScalarType.Float32, tile.device).Over(lines).view(shape);
        var head = Head(tile, lines, axis);
        head.copy_((previous.narrow(axis, previous.shape[axis] - lines, lines) * share.SubtractedFrom(1)).Plus(head * share));
    }

    private static Tensor Head(Tensor tile, long lines, int axis) => tile.narrow(axis, 0, Math.Min(lines, tile.shape[axis]));
}
