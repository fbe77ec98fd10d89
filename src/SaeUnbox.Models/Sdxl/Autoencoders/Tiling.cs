using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Decoding of large latents in overlapping tiles that are blended linearly, so that the memory does not grow with the picture.
/// The tiles know nothing of each other (norms, attention), so the picture differs a little from the whole decode.
/// </summary>
/// <param name="MaxWholeCells">Latents of more cells (h * w) than this are decoded in tiles.</param>
/// <param name="Overlap">Share of a tile that overlaps the next.</param>
public sealed record Tiling(long MaxWholeCells, double Overlap = 0.25)
{
    /// <summary>Whole up to a picture of 1024 x 1024 at 8 pixels a cell (about 5 GB of activations in float32).</summary>
    public static Tiling Default { get; } = new(128 * 128);

    /// <summary>Everything larger than one tile is tiled.</summary>
    public static Tiling Always { get; } = new(0);

    /// <summary>Everything is decoded whole.</summary>
    public static Tiling Never { get; } = new(long.MaxValue);

    /// <summary>Decodes <paramref name="latents"/> whole or in tiles.</summary>
    /// <param name="latents">[B, C, h, w].</param>
    /// <param name="tile">Side of a tile in cells.</param>
    /// <param name="pixelsPerCell">Enlargement of the decoder.</param>
    /// <param name="decode">[B, C, h', w'] -> [B, 3, H', W'].</param>
    public Tensor Decode(Tensor latents, int tile, int pixelsPerCell, Func<Tensor, Tensor> decode)
    {
        var (height, width) = (latents.shape[2], latents.shape[3]);
        if (height * width <= MaxWholeCells || (height <= tile && width <= tile))
        {
            return decode(latents);
        }

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
                {
                    Blend(above[row.Count], decoded, blend, axis: 2);
                }

                if (row.Count > 0)
                {
                    Blend(row[^1], decoded, blend, axis: 3);
                }

                row.Add(decoded);
            }

            rows.Add(cat(row.Select(t => Head(Head(t, keep, 2), keep, 3)).ToArray(), 3));
            above = [.. row];
        }

        return cat(rows, 2).MoveToOuterDisposeScope();
    }

    /// <summary>Fades the last <paramref name="extent"/> lines of the tile before into the first of this one, in place.</summary>
    private static void Blend(Tensor before, Tensor tile, int extent, int axis)
    {
        using var scope = NewDisposeScope();
        var lines = Math.Min(extent, Math.Min(before.shape[axis], tile.shape[axis]));
        if (lines == 0)
        {
            return;
        }

        long[] shape = [1, 1, 1, 1];
        shape[axis] = lines;
        var share = Arithmetic.Range(0, lines, ScalarType.Float32, tile.device).Over(lines).view(shape);
        var head = Head(tile, lines, axis);
        head.copy_((before.narrow(axis, before.shape[axis] - lines, lines) * share.SubtractedFrom(1)).Plus(head * share));
    }

    private static Tensor Head(Tensor tile, long lines, int axis) => tile.narrow(axis, 0, Math.Min(lines, tile.shape[axis]));
}
