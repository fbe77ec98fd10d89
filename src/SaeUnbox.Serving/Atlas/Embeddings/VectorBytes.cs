using System.Buffers.Binary;

namespace SaeUnbox.Serving;

/// <summary>Vectors as they lie in the file: 16-bit floats, little end first.</summary>
internal static class VectorBytes
{
    public static byte[] Of(float[] vector)
    {
        var bytes = new byte[vector.Length * 2];
        for (var i = 0; i < vector.Length; i++)
            BinaryPrimitives.WriteHalfLittleEndian(bytes.AsSpan(i * 2), (Half)vector[i]);
        return bytes;
    }

    /// <exception cref="FormatException">The bytes are no vector of this width.</exception>
    public static float[] Read(byte[] bytes, int width)
    {
        if (bytes.Length != width * 2)
            throw new FormatException($"a vector of {width} numbers has {bytes.Length} bytes.");
        var vector = new float[width];
        for (var i = 0; i < width; i++)
            vector[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(bytes.AsSpan(i * 2));
        return vector;
    }
}
