using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Square pictures side by side in rows, as a PNG.</summary>
/// <param name="tileSize">Side of a picture on the sheet, in pixels.</param>
internal sealed class ContactSheet(int tileSize)
{
    private readonly List<Picture> _pictures = [];

    /// <param name="rgb">[row, column, colour] of a square picture.</param>
    public void Add(ReadOnlySpan<byte> rgb)
    {
        var side = (int)Math.Sqrt(rgb.Length / 3);
        _pictures.Add(new(side, side, 3, rgb.ToArray()));
    }

    /// <summary>Adds images [B, 3, H, W] from -1 to 1.</summary>
    public void Add(Tensor images)
    {
        using var scope = NewDisposeScope();
        var bytes = images.Between(-1, 1).Plus(1).Times(127.5).Plus(.5).to_type(ScalarType.Byte).cpu().permute(0, 2, 3, 1).contiguous();
        for (var i = 0; i < bytes.shape[0]; i++)
            Add(bytes[i].contiguous().bytes);
    }

    public void Save(string path, int columns) => AtomicFile.WriteAllBytes(path, Png.Encode(PictureSheet.Of(_pictures, columns, tileSize)));
}
