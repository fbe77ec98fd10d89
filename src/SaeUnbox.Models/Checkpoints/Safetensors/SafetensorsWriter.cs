using System.Buffers.Binary;
using System.Text.Json;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Writes safetensors files, whole or not at all. Format: https://github.com/huggingface/safetensors.</summary>
public static class SafetensorsWriter
{
    private const int Alignment = 8;

    /// <summary>The metadata by which the Python libraries know a file of PyTorch weights.</summary>
    private static readonly Dictionary<string, string> DefaultMetadata = new() { ["format"] = "pt" };

    /// <param name="path">The file to write.</param>
    /// <param name="tensors">Any strides and device; written row-major under their names.</param>
    /// <param name="metadata">Texts for the header; <c>format: pt</c> where null.</param>
    /// <exception cref="CheckpointException">A name comes twice, a type cannot be stored, or the file cannot be written.</exception>
    public static void Write(string path, IEnumerable<KeyValuePair<string, torch.Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        // Widest elements first keeps every tensor aligned to its own size.
        var ordered = tensors.Select(pair => (Name: pair.Key, Tensor: pair.Value, Type: ElementType.Of(pair.Value.dtype)))
            .OrderByDescending(item => item.Type.Bits).ThenBy(item => item.Name, StringComparer.Ordinal).ToList();
        if (ordered.GroupBy(item => item.Name).FirstOrDefault(group => group.Count() > 1 || group.Key == "__metadata__") is { } clash)
            throw new CheckpointException($"'{path}' cannot be written: the tensor name '{clash.Key}' comes twice or is reserved.");
        var header = Header(ordered, metadata ?? DefaultMetadata);
        if (header.Length > SafetensorsHeader.LongestHeader)
            throw new CheckpointException($"'{path}' cannot be written: its header would have {header.Length} bytes, more than the format allows.");

        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var item in ordered) TensorWriter.Write(stream, item.Tensor);
        });
    }

    private static byte[] Header(List<(string Name, torch.Tensor Tensor, ElementType Type)> items, IReadOnlyDictionary<string, string> metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata) json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var (name, tensor, type) in items)
            {
                json.WriteStartObject(name);
                json.WriteString("dtype", type.Name);
                WriteNumbers(json, "shape", tensor.shape);
                WriteNumbers(json, "data_offsets", [offset, offset += tensor.numel() * type.Bytes]);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % Alignment != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, long[] numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }
}
