using System.Collections.Concurrent;

namespace SaeUnbox.Serving;

/// <summary>
/// Tiles of the sheets as pictures of their own, cut when they are asked for: who shows a few features need not load the pictures of all.
/// Sheets that were asked for stay decoded.
/// </summary>
internal sealed class TilePictures(Func<string, AtlasPicture?> sheet)
{
    private const int Quality = 85;
    private readonly ConcurrentDictionary<string, Lazy<Picture?>> _sheets = new();

    /// <returns>Null where the sheet is missing, cannot be read, or does not reach so far.</returns>
    public AtlasPicture? Cut(SpriteTile tile)
    {
        var picture = _sheets.GetOrAdd(tile.Picture, name => new(() => Decode(name))).Value;
        return picture is not null && tile.X + tile.Size <= picture.Width && tile.Y + tile.Size <= picture.Height
            ? new("image/jpeg", Jpeg.Encode(PictureScaling.Resize(picture, tile.X, tile.Y, tile.Size, tile.Size, tile.Size, tile.Size), Quality))
            : null;
    }

    private Picture? Decode(string name)
    {
        try
        {
            return sheet(name) is { } found ? Jpeg.Decode(found.Bytes.Span) : null;
        }
        catch (PictureException)
        {
            return null;
        }
    }
}
