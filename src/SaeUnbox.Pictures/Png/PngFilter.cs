using System.Numerics;

namespace SaeUnbox.Pictures;

/// <summary>The five row filters of PNG: a byte is stored as its difference to a guess from its left, upper and upper left neighbours.</summary>
internal static class PngFilter
{
    private const byte None = 0, Sub = 1, Up = 2, Average = 3, Paeth = 4;

    /// <summary>Undoes a filter in place.</summary>
    public static void Undo(byte filter, Span<byte> row, ReadOnlySpan<byte> above, int stride)
    {
        switch (filter)
        {
            case None:
                break;
            case Sub:
                for (var i = stride; i < row.Length; i++)
                    row[i] += row[i - stride];
                break;
            case Up:
                for (var i = 0; i < row.Length; i++)
                    row[i] += above[i];
                break;
            case Average:
                for (var i = 0; i < row.Length; i++)
                    row[i] += (byte)(((i < stride ? 0 : row[i - stride]) + above[i]) / 2);
                break;
            case Paeth:
                for (var i = 0; i < row.Length; i++)
                    row[i] += i < stride ? above[i] : Guess(row[i - stride], above[i], above[i - stride]);
                break;
            default:
                throw new PictureException($"the PNG uses the unknown filter {filter}");
        }
    }

    /// <summary>Writes a row as its filter number and its differences to the Paeth guess, which packs pictures of things best.</summary>
    public static void ApplyPaeth(ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, int stride, Span<byte> filtered)
    {
        filtered[0] = Paeth;
        filtered = filtered[1..];
        for (var i = 0; i < row.Length; i++)
            filtered[i] = (byte)(row[i] - (i < stride ? above[i] : Guess(row[i - stride], above[i], above[i - stride])));
    }

    /// <summary>Writes a row as its filter number and its differences to the row above: a tenth of the time, a quarter more bytes.</summary>
    public static void ApplyUp(ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, Span<byte> filtered)
    {
        filtered[0] = Up;
        filtered = filtered[1..];
        var i = 0;
        for (; i <= row.Length - Vector<byte>.Count; i += Vector<byte>.Count)
            (new Vector<byte>(row[i..]) - new Vector<byte>(above[i..])).CopyTo(filtered[i..]);
        for (; i < row.Length; i++)
            filtered[i] = (byte)(row[i] - above[i]);
    }

    // The neighbour nearest to left + above - corner; at a tie left, then above.
    private static byte Guess(int left, int above, int corner)
    {
        int toLeft = Math.Abs(above - corner), toAbove = Math.Abs(left - corner), toCorner = Math.Abs(left + above - (2 * corner));
        return (byte)(toLeft <= toAbove && toLeft <= toCorner ? left : toAbove <= toCorner ? above : corner);
    }
}
