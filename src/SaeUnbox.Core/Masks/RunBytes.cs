using System.Buffers.Binary;

namespace SaeUnbox.Core;

/// <summary>Writes whole numbers in groups of seven bits, lowest first, and float32 values in little-endian order.</summary>
internal sealed class RunWriter
{
    private readonly List<byte> _bytes = [];

    public byte[] Bytes => [.. _bytes];

    public void WriteNumber(int value)
    {
        for (; value > 0x7F; value >>= 7)
            _bytes.Add((byte)(value | 0x80));
        _bytes.Add((byte)value);
    }

    public void WriteFloat(float value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(float)];
        BinaryPrimitives.WriteSingleLittleEndian(bytes, value);
        _bytes.AddRange(bytes);
    }
}

/// <summary>Reads what <see cref="RunWriter"/> wrote; false at the end of the data or for a number beyond 28 bits.</summary>
internal ref struct RunReader(ReadOnlySpan<byte> bytes)
{
    private const int MaxBits = 28;

    private ReadOnlySpan<byte> _rest = bytes;

    public readonly bool AtEnd => _rest.IsEmpty;

    public bool TryReadNumber(out int value)
    {
        value = 0;
        for (var shift = 0; shift < MaxBits && !_rest.IsEmpty; shift += 7)
        {
            var next = _rest[0];
            _rest = _rest[1..];
            value |= (next & 0x7F) << shift;
            if (next <= 0x7F)
                return true;
        }

        return false;
    }

    public bool TryReadFloat(out float value)
    {
        if (!BinaryPrimitives.TryReadSingleLittleEndian(_rest, out value))
            return false;
        _rest = _rest[sizeof(float)..];
        return true;
    }
}
