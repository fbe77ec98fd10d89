using static TorchSharp.torch;

namespace SaeUnbox.Models;

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
