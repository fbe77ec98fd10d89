using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace SaeUnbox.Models;

/// <summary>An uncompressed record of a zip.</summary>
internal sealed class ZipRecord(SourceFile file, string name, long position, long length, uint crc)
{
    private const int Chunk = 1 << 20;
    private volatile bool _verified;

    public string Name => name;
    public long Position => position;
    public long Length => length;

    /// <summary>Verifies the checksum on the first call.</summary>
    public void Verify()
    {
        if (_verified)
            return;
        var hash = new Crc32();
        var buffer = new byte[(int)Math.Min(Chunk, length)];
        for (long done = 0; done < length; done += buffer.Length)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - done));
            file.ReadExactly(position + done, part);
            hash.Append(part);
        }
        if (hash.GetCurrentHashAsUInt32() != crc)
            throw file.Broken($"the checksum of its record '{name}' does not match");
        _verified = true;
    }
}

/// <summary>
/// Reads the directory of a zip as PyTorch writes it: one disk, uncompressed records without overlaps, 64-bit sizes if needed. Names are
/// only looked up, and never used as paths. Format: APPNOTE.TXT of PKWARE.
/// </summary>
internal sealed class ZipDirectory
{
    private const int EndLength = 22, LocatorLength = 20, End64Length = 56, EntryLength = 46, LocalLength = 30;
    private const uint EndSignature = 0x06054b50, LocatorSignature = 0x07064b50, End64Signature = 0x06064b50,
        EntrySignature = 0x02014b50, LocalSignature = 0x04034b50;
    private const long MaxDirectoryLength = 32 << 20;

    private readonly SourceFile _file;
    private readonly Dictionary<string, ZipRecord> _records = [];

    public ZipDirectory(SourceFile file)
    {
        _file = file;
        var (position, length, count) = FindDirectory();
        if (length > MaxDirectoryLength)
            throw _file.Broken($"its zip directory of {length} bytes is too long");
        var directory = new byte[length];
        _file.ReadExactly(position, directory);
        ReadDirectory(directory, position, count);
        RequireApart();
    }

    public IEnumerable<ZipRecord> Records => _records.Values;

    public ZipRecord? Find(string name) => _records.GetValueOrDefault(name);

    /// <summary>Finds the end record, which is the last part of the file except for a comment.</summary>
    private (long Position, long Length, long Count) FindDirectory()
    {
        var tail = new byte[(int)Math.Min(_file.Length, EndLength + ushort.MaxValue)];
        _file.ReadExactly(_file.Length - tail.Length, tail);
        for (var at = tail.Length - EndLength; at >= 0; at--)
        {
            var end = tail.AsSpan(at);
            if (U32(end, 0) != EndSignature || U16(end, 20) != end.Length - EndLength)
                continue;
            long endPosition = _file.Length - tail.Length + at, count = U16(end, 10), length = U32(end, 12), position = U32(end, 16);
            if (U16(end, 4) is not (0 or ushort.MaxValue) || U16(end, 8) != U16(end, 10))
                throw Broken("spans several disks");
            if (ReadEnd64(endPosition) is { } wide)
                (position, length, count, endPosition) = wide;
            if (position < 0 || length < 0 || position > endPosition || length != endPosition - position)
                throw Broken("is not where its end record says");
            return (position, length, count);
        }
        throw _file.Broken("it has no zip directory at its end, so it is probably truncated; fetch it again");
    }

    /// <summary>Reads the 64-bit end record. PyTorch always writes one, with a locator before the normal end record.</summary>
    private (long Position, long Length, long Count, long End)? ReadEnd64(long endPosition)
    {
        if (endPosition < LocatorLength + End64Length)
            return null;
        Span<byte> locator = stackalloc byte[LocatorLength], end = stackalloc byte[End64Length];
        _file.ReadExactly(endPosition - LocatorLength, locator);
        if (U32(locator, 0) != LocatorSignature)
            return null;
        var at = I64(locator, 8);
        if (at < 0 || at > endPosition - LocatorLength - End64Length)
            throw Broken("lacks its 64-bit end");
        _file.ReadExactly(at, end);
        if (U32(end, 0) != End64Signature)
            throw Broken("lacks its 64-bit end");
        return (I64(end, 48), I64(end, 40), I64(end, 32), at);
    }

    private void ReadDirectory(ReadOnlySpan<byte> directory, long directoryPosition, long count)
    {
        for (; directory.Length > 0; count--)
        {
            if (directory.Length < EntryLength || U32(directory, 0) != EntrySignature)
                throw Broken("has a broken entry");
            int nameLength = U16(directory, 28), extraLength = U16(directory, 30);
            var whole = EntryLength + nameLength + extraLength + U16(directory, 32);
            if (whole > directory.Length)
                throw Broken("has a broken entry");
            var name = Encoding.UTF8.GetString(directory.Slice(EntryLength, nameLength));
            long stored = U32(directory, 20), length = U32(directory, 24), local = U32(directory, 42);
            Widen(directory.Slice(EntryLength + nameLength, extraLength), ref length, ref stored, ref local);
            if (U16(directory, 10) != 0 || stored != length)
                throw Broken($"has the compressed record '{name}'; PyTorch does not compress records");
            if ((U16(directory, 8) & 1) != 0)
                throw Broken($"has the encrypted record '{name}'");
            var record = new ZipRecord(_file, name, DataPosition(name, local, length, directoryPosition), length, U32(directory, 16));
            if (!_records.TryAdd(name, record))
                throw Broken($"has the record '{name}' twice");
            directory = directory[whole..];
        }
        if (count != 0)
            throw Broken("has a wrong number of entries");
    }

    /// <summary>Values with all 32 bits set are stored in the 64-bit extra field, in this order.</summary>
    private void Widen(ReadOnlySpan<byte> extra, ref long length, ref long stored, ref long local)
    {
        while (extra.Length >= 4)
        {
            int id = U16(extra, 0), size = U16(extra, 2);
            if (size > extra.Length - 4)
                throw Broken("has a broken entry");
            if (id == 1)
            {
                var values = extra.Slice(4, size);
                if (length == uint.MaxValue)
                    length = Next(ref values);
                if (stored == uint.MaxValue)
                    stored = Next(ref values);
                if (local == uint.MaxValue)
                    local = Next(ref values);
            }
            extra = extra[(4 + size)..];
        }

        long Next(ref ReadOnlySpan<byte> values)
        {
            if (values.Length < 8)
                throw Broken("has a broken entry");
            var value = I64(values, 0);
            values = values[8..];
            return value;
        }
    }

    private long DataPosition(string name, long local, long length, long limit)
    {
        if (local < 0 || length < 0 || local > limit - LocalLength)
            throw Broken($"places the record '{name}' outside the file");
        Span<byte> header = stackalloc byte[LocalLength];
        _file.ReadExactly(local, header);
        if (U32(header, 0) != LocalSignature || U16(header, 8) != 0)
            throw Broken($"and the record '{name}' do not agree");
        var position = local + LocalLength + U16(header, 26) + U16(header, 28);
        if (position > limit || length > limit - position)
            throw Broken($"places the record '{name}' outside the file");
        var localName = new byte[U16(header, 26)];
        _file.ReadExactly(local + LocalLength, localName);
        return Encoding.UTF8.GetString(localName) == name ? position : throw Broken($"and the record '{name}' do not agree");
    }

    private void RequireApart()
    {
        long filled = 0;
        foreach (var record in _records.Values.OrderBy(record => record.Position).ThenBy(record => record.Length))
        {
            if (record.Position < filled)
                throw Broken($"lets the record '{record.Name}' overlap another");
            filled = record.Position + record.Length;
        }
    }

    private CheckpointException Broken(string what) => _file.Broken($"its zip directory {what}");

    private static ushort U16(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);
    private static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
    private static long I64(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]);
}

/// <summary>
/// Writes a zip as PyTorch does: uncompressed records, aligned to 64 bytes, with 64-bit sizes if needed. The stream must be seekable,
/// because a record's checksum is written after its data.
/// </summary>
internal sealed class ZipWriter(Stream stream)
{
    private const int Alignment = 64;
    private const ushort Version = 45, Utf8Names = 0x0800, FirstOfJanuary1980 = 0x0021;

    private readonly List<(byte[] Name, long Local, long Length, uint Crc)> _entries = [];

    /// <param name="name">Path in the zip.</param>
    /// <param name="length">Exact number of bytes that <paramref name="write"/> writes.</param>
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
        _entries.Add((nameBytes, local, length, crc));
    }

    public void Finish()
    {
        var start = stream.Position;
        foreach (var entry in _entries)
            stream.Write(CentralHeader(entry.Name, entry.Local, entry.Length, entry.Crc));
        var end = stream.Position;
        var wide = _entries.Count >= ushort.MaxValue || start >= uint.MaxValue;
        if (wide)
        {
            stream.Write([.. Bytes(4, 0x06064b50), .. Bytes(8, 44), .. Bytes(2, Version), .. Bytes(2, Version), .. Bytes(8, 0),
                .. Bytes(8, _entries.Count), .. Bytes(8, _entries.Count), .. Bytes(8, end - start), .. Bytes(8, start)]);
            stream.Write([.. Bytes(4, 0x07064b50), .. Bytes(4, 0), .. Bytes(8, end), .. Bytes(4, 1)]);
        }
        var count = wide ? ushort.MaxValue : _entries.Count;
        stream.Write([.. Bytes(4, 0x06054b50), .. Bytes(4, 0), .. Bytes(2, count), .. Bytes(2, count),
            .. Bytes(4, wide ? uint.MaxValue : end - start), .. Bytes(4, wide ? uint.MaxValue : start), .. Bytes(2, 0)]);
    }

    private static byte[] LocalHeader(byte[] name, long length, long local)
    {
        var narrow = length < uint.MaxValue;
        byte[] extra = narrow ? [] : [.. Bytes(2, 1), .. Bytes(2, 16), .. Bytes(8, length), .. Bytes(8, length)];
        var unpadded = local + 30 + name.Length + extra.Length + 4;
        var padding = (int)((Alignment - unpadded % Alignment) % Alignment);
        // Like PyTorch, stores the padding in the extra field "FB".
        extra = [.. extra, (byte)'F', (byte)'B', .. Bytes(2, padding), .. Enumerable.Repeat((byte)'Z', padding)];
        var size = narrow ? length : uint.MaxValue;
        return [.. Bytes(4, 0x04034b50), .. Bytes(2, Version), .. Bytes(2, Utf8Names), .. Bytes(2, 0), .. Bytes(2, 0),
            .. Bytes(2, FirstOfJanuary1980),
            .. Bytes(4, 0), .. Bytes(4, size), .. Bytes(4, size), .. Bytes(2, name.Length), .. Bytes(2, extra.Length), .. name, .. extra];
    }

    private static byte[] CentralHeader(byte[] name, long local, long length, uint crc)
    {
        var (bigLength, bigLocal) = (length >= uint.MaxValue, local >= uint.MaxValue);
        byte[] values = [.. bigLength ? Bytes(8, length) : [], .. bigLength ? Bytes(8, length) : [], .. bigLocal ? Bytes(8, local) : []];
        byte[] extra = values.Length == 0 ? [] : [.. Bytes(2, 1), .. Bytes(2, values.Length), .. values];
        var size = bigLength ? uint.MaxValue : length;
        return [.. Bytes(4, 0x02014b50), .. Bytes(2, Version), .. Bytes(2, Version), .. Bytes(2, Utf8Names), .. Bytes(2, 0), .. Bytes(2, 0),
            .. Bytes(2, FirstOfJanuary1980), .. Bytes(4, crc), .. Bytes(4, size), .. Bytes(4, size),
            .. Bytes(2, name.Length), .. Bytes(2, extra.Length), .. Bytes(2, 0), .. Bytes(2, 0), .. Bytes(2, 0), .. Bytes(4, 0),
            .. Bytes(4, bigLocal ? uint.MaxValue : local), .. name, .. extra];
    }

    /// <summary>The lowest <paramref name="count"/> bytes of a number, little endian.</summary>
    private static byte[] Bytes(int count, long number)
    {
        var bytes = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        return bytes[..count];
    }

    /// <summary>Computes the checksum of the bytes written to another stream.</summary>
    private sealed class HashingStream(Stream target) : Stream
    {
        private readonly Crc32 _crc = new();

        public uint Hash => _crc.GetCurrentHashAsUInt32();
        public override bool CanRead => false;
        public override bool CanSeek => false;
        public override bool CanWrite => true;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _crc.Append(buffer);
            target.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
        public override void Flush() => target.Flush();
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
