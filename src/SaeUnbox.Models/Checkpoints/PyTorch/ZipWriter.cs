using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace SaeUnbox.Models;

/// <summary>
/// Writes a zip as PyTorch does: records stored as they are, each beginning at a multiple of 64 bytes, 64-bit sizes where needed. The
/// stream must be able to seek: a record's checksum is filled in after its data.
/// </summary>
internal sealed class ZipWriter(Stream stream)
{
    private const int Alignment = 64;
    private const ushort Version = 45, Utf8Names = 0x0800, FirstOfJanuary1980 = 0x0021;

    private readonly List<(byte[] Name, long Local, long Length, uint Crc)> entries = [];

    /// <param name="name">Path in the zip.</param>
    /// <param name="length">Exact number of bytes that <paramref name="write"/> will write.</param>
    /// <param name="write">Writes the data.</param>
    public void Add(string name, long length, Action<Stream> write)
    {
        var (nameBytes, local) = (Encoding.UTF8.GetBytes(name), stream.Position);
        stream.Write(LocalHeader(nameBytes, length, local));
        var start = stream.Position;
        var hashing = new HashingStream(stream);
        write(hashing);
        if (stream.Position - start != length)
            throw new InvalidOperationException($"{stream.Position - start} bytes were written for '{name}' of {length}.");

        var crc = hashing.Hash;
        var end = stream.Position;
        stream.Position = local + 14;
        stream.Write(Bytes(4, crc));
        stream.Position = end;
        entries.Add((nameBytes, local, length, crc));
    }

    public void Finish()
    {
        var start = stream.Position;
        foreach (var entry in entries) stream.Write(CentralHeader(entry.Name, entry.Local, entry.Length, entry.Crc));
        var end = stream.Position;
        var wide = entries.Count >= ushort.MaxValue || start >= uint.MaxValue;
        if (wide)
        {
            stream.Write([.. Bytes(4, 0x06064b50), .. Bytes(8, 44), .. Bytes(2, Version), .. Bytes(2, Version), .. Bytes(8, 0),
                .. Bytes(8, entries.Count), .. Bytes(8, entries.Count), .. Bytes(8, end - start), .. Bytes(8, start)]);
            stream.Write([.. Bytes(4, 0x07064b50), .. Bytes(4, 0), .. Bytes(8, end), .. Bytes(4, 1)]);
        }
        var count = wide ? ushort.MaxValue : entries.Count;
        stream.Write([.. Bytes(4, 0x06054b50), .. Bytes(4, 0), .. Bytes(2, count), .. Bytes(2, count),
            .. Bytes(4, wide ? uint.MaxValue : end - start), .. Bytes(4, wide ? uint.MaxValue : start), .. Bytes(2, 0)]);
    }

    private static byte[] LocalHeader(byte[] name, long length, long local)
    {
        var narrow = length < uint.MaxValue;
        byte[] extra = narrow ? [] : [.. Bytes(2, 1), .. Bytes(2, 16), .. Bytes(8, length), .. Bytes(8, length)];
        var unpadded = local + 30 + name.Length + extra.Length + 4;
        var padding = (int)((Alignment - unpadded % Alignment) % Alignment);
        // The padding hides in an extra field of its own, "FB", as PyTorch's does.
        extra = [.. extra, (byte)'F', (byte)'B', .. Bytes(2, padding), .. Enumerable.Repeat((byte)'Z', padding)];
        var size = narrow ? length : uint.MaxValue;
        return [.. Bytes(4, 0x04034b50), .. Bytes(2, Version), .. Bytes(2, Utf8Names), .. Bytes(2, 0), .. Bytes(2, 0), .. Bytes(2, FirstOfJanuary1980),
            .. Bytes(4, 0), .. Bytes(4, size), .. Bytes(4, size), .. Bytes(2, name.Length), .. Bytes(2, extra.Length), .. name, .. extra];
    }

    private static byte[] CentralHeader(byte[] name, long local, long length, uint crc)
    {
        var (bigLength, bigLocal) = (length >= uint.MaxValue, local >= uint.MaxValue);
        byte[] values = [.. bigLength ? Bytes(8, length) : [], .. bigLength ? Bytes(8, length) : [], .. bigLocal ? Bytes(8, local) : []];
        byte[] extra = values.Length == 0 ? [] : [.. Bytes(2, 1), .. Bytes(2, values.Length), .. values];
        var size = bigLength ? uint.MaxValue : length;
        return [.. Bytes(4, 0x02014b50), .. Bytes(2, Version), .. Bytes(2, Version), .. Bytes(2, Utf8Names), .. Bytes(2, 0), .. Bytes(2, 0),
            .. Bytes(2, FirstOfJanuary1980), .. Bytes(4, crc), .. Bytes(4, size), .. Bytes(4, size), .. Bytes(2, name.Length), .. Bytes(2, extra.Length),
            .. Bytes(2, 0), .. Bytes(2, 0), .. Bytes(2, 0), .. Bytes(4, 0), .. Bytes(4, bigLocal ? uint.MaxValue : local), .. name, .. extra];
    }

    /// <summary>A number in so many little-endian bytes.</summary>
    private static byte[] Bytes(int count, long number)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return bytes[..count];
    }

    /// <summary>Passes bytes on and keeps their checksum.</summary>
    private sealed class HashingStream(Stream target) : Stream
    {
        private readonly Crc32 crc = new();

        public uint Hash => crc.GetCurrentHashAsUInt32();
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            crc.Append(buffer);
            target.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
        public override void Flush() => target.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
