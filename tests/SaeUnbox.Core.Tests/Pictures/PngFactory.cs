using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;
using System.Text;

namespace SaeUnbox.Core.Tests;

/// <summary>Writes PNGs of every kind, valid or broken, including those that the encoder under test never writes.</summary>
internal static class PngFactory
{
    private static readonly (int X, int Y, int StepX, int StepY)[] Adam7 =
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];

    /// <summary>Writes random samples with random filters.</summary>
    /// <param name="damage">Changes one chunk before its checksum is computed; null for none.</param>
    public static byte[] Make(
        int width, int height, int colour, int depth, bool interlaced, bool transparency, int seed, Random? damage = null)
    {
        var random = new Random(seed);
        var samples = colour switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        using var packed = new MemoryStream();
        using (var rows = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            foreach (var (x, y, stepX, stepY) in interlaced ? Adam7 : [(0, 0, 1, 1)])
            {
                int columns = (width - x + stepX - 1) / stepX, lines = (height - y + stepY - 1) / stepY;
                for (var line = 0; line < lines && columns > 0; line++)
                {
                    var row = new byte[1 + (((columns * samples * depth) + 7) / 8)];
                    random.NextBytes(row);
                    row[0] = (byte)random.Next(5);
                    rows.Write(row);
                }
            }
        }

        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9], header[12]) = ((byte)depth, (byte)colour, (byte)(interlaced ? 1 : 0));
        List<(string Type, byte[] Data)> chunks = [("IHDR", header)];
        if (colour == 3)
            chunks.Add(("PLTE", Bytes(random, 3 * (1 << depth))));
        if (transparency)
            chunks.Add(("tRNS", colour == 3 ? Bytes(random, 1 << (depth - 1)) : Key(random, samples, depth)));
        var pixels = packed.ToArray();
        chunks.Add(("IDAT", pixels[..(pixels.Length / 2)]));
        chunks.Add(("IDAT", pixels[(pixels.Length / 2)..]));
        if (damage is not null)
        {
            var data = chunks[damage.Next(chunks.Count)].Data;
            // Changes only the low bytes of width and height, so that pictures stay small.
            var at = damage.Next(data.Length);
            if (data == header && at is 0 or 1 or 2 or 4 or 5 or 6)
                at = 8;
            data[at] = (byte)damage.Next(256);
        }

        return File([.. chunks]);
    }

    /// <summary>Writes the signature, the chunks with correct checksums, and IEND.</summary>
    public static byte[] File(params (string Type, byte[] Data)[] chunks)
    {
        using var file = new MemoryStream();
        file.Write([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]);
        foreach (var (type, data) in chunks.Append(("IEND", [])))
        {
            byte[] body = [.. Encoding.Latin1.GetBytes(type), .. data];
            var number = new byte[4];
            BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
            file.Write(number);
            file.Write(body);
            BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.HashToUInt32(body));
            file.Write(number);
        }

        return file.ToArray();
    }

    public static byte[] Pack(byte[] rows)
    {
        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            zlib.Write(rows);
        return packed.ToArray();
    }

    private static byte[] Key(Random random, int samples, int depth)
    {
        var key = new byte[samples * 2];
        for (var i = 0; i < samples; i++)
            BinaryPrimitives.WriteUInt16BigEndian(key.AsSpan(i * 2), (ushort)random.Next(1 << depth));
        return key;
    }

    private static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
