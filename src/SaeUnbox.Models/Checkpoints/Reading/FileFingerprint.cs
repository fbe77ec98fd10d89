using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace SaeUnbox.Models;

/// <summary>Tells large files apart without reading them whole: a hash of names, lengths and pieces spread evenly over each file.</summary>
public static class FileFingerprint
{
    private const int Pieces = 64, PieceLength = 1024, Characters = 16;

    /// <param name="files">What each file is called, wherever it lies, and its path.</param>
    /// <exception cref="CheckpointException">A file cannot be read.</exception>
    public static string Of(IEnumerable<(string Name, string Path)> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, path) in files.OrderBy(file => file.Name, StringComparer.Ordinal))
        {
            hash.AppendData(Encoding.UTF8.GetBytes(name + "\n"));
            Append(hash, path);
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset())[..Characters];
    }

    private static void Append(IncrementalHash hash, string path)
    {
        try
        {
            using var file = File.OpenHandle(path);
            var length = RandomAccess.GetLength(file);
            Span<byte> piece = stackalloc byte[PieceLength];
            BinaryPrimitives.WriteInt64LittleEndian(piece, length);
            hash.AppendData(piece[..sizeof(long)]);
            // A short file is read whole, of a long one the pieces end with its last byte.
            var step = Math.Max(PieceLength, (length - PieceLength) / (Pieces - 1.0));
            for (var number = 0; number < Pieces && number * step < length; number++)
                hash.AppendData(piece[..RandomAccess.Read(file, piece, (long)(number * step))]);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CheckpointException($"'{path}' cannot be read: {exception.Message}", exception);
        }
    }
}
