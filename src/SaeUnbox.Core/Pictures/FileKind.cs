using System.Text;

namespace SaeUnbox.Core;

/// <summary>Names the kind of a file by its first bytes, for messages about files that cannot be used.</summary>
public static class FileKind
{
    private static readonly (int At, string Bytes, string Kind)[] Signatures =
    [
        (8, "WEBP", "a WebP picture"),
        (0, "GIF8", "a GIF picture"),
        (0, "BM", "a BMP picture"),
        (0, "II*\0", "a TIFF picture"),
        (0, "MM\0*", "a TIFF picture"),
        (4, "ftypavif", "an AVIF picture"),
        (4, "ftypheic", "a HEIC picture"),
        (4, "ftypmif1", "a HEIF picture"),
        (0, "\u00FF\u000A", "a JPEG XL picture"),
        (4, "JXL ", "a JPEG XL picture"),
        (4, "jP  ", "a JPEG 2000 picture"),
        (0, "8BPS", "a Photoshop document"),
        (0, "\u0089PNG", "a PNG picture"),
        (0, "\u00FF\u00D8\u00FF", "a JPEG picture"),
        (0, "%PDF", "a PDF document"),
        (0, "PK\u0003\u0004", "a ZIP archive"),
        (0, "\u001F\u008B", "a gzip archive"),
        (0, "\u0093NUMPY", "a NumPy array"),
        (0, "GGUF", "a GGUF file"),
        (0, "<svg", "an SVG drawing"),
        (257, "ustar", "a tar archive"),
        (0, "7z\u00BC\u00AF", "a 7z archive"),
        (0, "\u00FD7zXZ", "an xz archive"),
        (0, "\u0028\u00B5\u002F\u00FD", "a Zstandard archive"),
        (0, "Rar!", "a RAR archive"),
        (0, "\u0089HDF", "an HDF5 file"),
        (0, "PAR1", "a Parquet table"),
        (0, "SQLite format 3", "an SQLite database"),
        (0, "version https://git-lfs", "a git-lfs pointer"),
        (0, "<!DOCTYPE html", "a web page"),
        (0, "<!doctype html", "a web page"),
        (0, "<HTML", "a web page"),
        (0, "<?xml", "an XML document"),
        (0, "<html", "a web page"),
    ];

    /// <summary>The kind with its article, such as "a WebP picture"; null if the bytes are not those of a kind known here.</summary>
    public static string? Of(ReadOnlySpan<byte> file)
    {
        foreach (var (at, bytes, kind) in Signatures)
            if (file.Length >= at && file[at..].StartsWith(Encoding.Latin1.GetBytes(bytes)) && (kind != "a BMP picture" || IsBmp(file)))
                return kind;
        return null;
    }

    // Two letters alone also begin texts.
    private static bool IsBmp(ReadOnlySpan<byte> file) => file.Length > 9 && file[6..10].IndexOfAnyExcept((byte)0) < 0;
}
