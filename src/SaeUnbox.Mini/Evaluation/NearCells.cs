using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>A square of cells around the cells of each scene of a batch, all of one size.</summary>
internal sealed class NearCells
{
    // The decoder looks hardly further: two cells are 8 latents.
    private const int Margin = 2;

    private readonly int _side;
    private readonly (int Row, int Column)[] _corners;

    private NearCells(int side, (int Row, int Column)[] corners) => (_side, _corners) = (side, corners);

    public static NearCells Of(IReadOnlyList<CellMask> masks)
    {
        var rows = masks.Select(mask => Bounds(row => Enumerable.Range(0, CellMask.Side).Any(column => mask[row, column]))).ToArray();
        var columns = masks.Select(mask => Bounds(column => Enumerable.Range(0, CellMask.Side).Any(row => mask[row, column]))).ToArray();
        var side = Math.Min(CellMask.Side, rows.Concat(columns).Max(bounds => bounds.Length) + 2 * Margin);
        return new(side, [.. rows.Zip(columns, (row, column) => (Corner(row), Corner(column)))]);

        int Corner((int First, int Length) bounds) =>
            Math.Clamp(bounds.First - (side - bounds.Length) / 2, 0, CellMask.Side - side);
    }

    /// <summary>Latents [B, C, h, w] of the squares alone.</summary>
    public Tensor Cut(Tensor latents)
    {
        var scale = latents.shape[2] / CellMask.Side;
        return stack(_corners.Select((corner, i) => latents[i]
            .narrow(1, corner.Row * scale, _side * scale).narrow(2, corner.Column * scale, _side * scale)));
    }

    /// <summary>Pictures [row, column, colour] of the size of the probe, with decoded squares [B, 3, side, side] in their places.</summary>
    public byte[][] PutInto(byte[][] pictures, Tensor decoded)
    {
        const int scale = SceneProbe.Size / CellMask.Side, row = SceneProbe.Size * 3;
        var (side, put) = (_side * scale, pictures.Select(picture => picture.AsSpan().ToArray()).ToArray());
        foreach (var (i, square) in PictureBytes.ForProbe(decoded, side).Index())
            for (var line = 0; line < side; line++)
                square.AsSpan(line * side * 3, side * 3)
                    .CopyTo(put[i].AsSpan((_corners[i].Row * scale + line) * row + _corners[i].Column * scale * 3));
        return put;
    }

    private static (int First, int Length) Bounds(Func<int, bool> isIn)
    {
        var within = Enumerable.Range(0, CellMask.Side).Where(isIn).ToArray();
        return within.Length == 0 ? (0, 0) : (within[0], within[^1] - within[0] + 1);
    }
}
