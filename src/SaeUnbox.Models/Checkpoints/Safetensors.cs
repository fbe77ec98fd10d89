using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using TorchSharp;

namespace SaeUnbox.Models;

internal sealed class SafetensorsFile : Checkpoint
{
    private SafetensorsFile(SourceFile file, SafetensorsHeader header) : base(file.Path, "safetensors", header.Tensors, [file]) =>
        Metadata = header.Metadata;

    public override IReadOnlyDictionary<string, string> Metadata { get; }

    public static SafetensorsFile Open(SourceFile file) => new(file, SafetensorsHeader.Read(file));
}

/// <summary>
/// The header of a safetensors file: its length in eight bytes, then JSON with the position of every tensor. It is checked completely
/// before any data is read: tensors must fill the rest of the file without overlaps or gaps.
/// Format: https://github.com/huggingface/safetensors.
/// </summary>
internal sealed record SafetensorsHeader(IReadOnlyList<StoredTensor> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The limit of the format.</summary>
    public const long MaxHeaderLength = 100_000_000;

    /// <summary>More than any model has. Limits the memory that a hostile header can take.</summary>
    public const int MaxTensors = 100_000;

    private const int MaxTexts = 10_000;

    // Names and metadata together.
    private const int MaxTextBytes = 16 << 20;
    private const int MaxAxes = 64;

    private const int Prefix = 8;

    public static SafetensorsHeader Read(SourceFile file)
    {
        if (file.Length < Prefix)
            throw file.Broken($"it has {file.Length} bytes, too few for a safetensors file");
        Span<byte> prefix = stackalloc byte[Prefix];
        file.ReadExactly(0, prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length is < 2 or > MaxHeaderLength)
            throw file.Broken($"its first eight bytes are not the length of a safetensors header, which has 2 to {MaxHeaderLength} bytes");
        if ((long)length > file.Length - Prefix)
            throw file.Broken(
                $"its safetensors header should have {length} bytes, but the file ends after {file.Length}; download it again");

        var json = new byte[length];
        file.ReadExactly(Prefix, json);
        if (json[0] != '{')
            throw file.Broken("its safetensors header does not begin with {");
        if (!Utf8.IsValid(json))
            throw file.Broken("its safetensors header is not UTF-8");
        try
        {
            return new HeaderParser(file, Prefix + (long)length).Parse(json);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw file.Broken("its safetensors header is not the JSON object that the format requires", exception);
        }
    }

    /// <summary>Reads the JSON token by token, which detects duplicates and keeps only the needed values.</summary>
    private sealed class HeaderParser(SourceFile file, long dataStart)
    {
        private readonly HashSet<string> _names = [];
        private readonly List<StoredTensor> _tensors = [];
        private readonly Dictionary<string, string> _metadata = [];
        private readonly List<(long Begin, long End, string Name)> _places = [];
        private long _textBytes;

        public SafetensorsHeader Parse(ReadOnlySpan<byte> json)
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 16 });
            Expect(ref reader, JsonTokenType.StartObject);
            while (Next(ref reader) == JsonTokenType.PropertyName)
            {
                var name = Text(ref reader);
                if (!_names.Add(name))
                    throw file.Broken($"its safetensors header has '{name}' twice");
                if (name == "__metadata__")
                    ParseMetadata(ref reader);
                else
                    ParseTensor(ref reader, name);
            }
            while (reader.Read())
            {
            }
            RequireFilled();
            return new SafetensorsHeader(_tensors, _metadata);
        }

        private void ParseMetadata(ref Utf8JsonReader reader)
        {
            Expect(ref reader, JsonTokenType.StartObject);
            while (Next(ref reader) == JsonTokenType.PropertyName)
            {
                var key = Text(ref reader);
                if (Next(ref reader) != JsonTokenType.String)
                    throw file.Broken($"its metadata '{key}' is not a string");
                if (!_metadata.TryAdd(key, Text(ref reader)))
                    throw file.Broken($"its metadata has '{key}' twice");
                if (_metadata.Count > MaxTexts)
                    throw file.Broken($"its metadata has more than {MaxTexts} entries");
            }
        }

        private void ParseTensor(ref Utf8JsonReader reader, string name)
        {
            if (_tensors.Count == MaxTensors)
                throw file.Broken($"it lists more than {MaxTensors} tensors");
            string? dtype = null;
            long[]? shape = null, offsets = null;
            Expect(ref reader, JsonTokenType.StartObject);
            while (Next(ref reader) == JsonTokenType.PropertyName)
            {
                if (reader.ValueTextEquals("dtype"u8) && dtype is null)
                {
                    Expect(ref reader, JsonTokenType.String);
                    dtype = Text(ref reader);
                }
                else if (reader.ValueTextEquals("shape"u8) && shape is null)
                    shape = Numbers(ref reader, name);
                else if (reader.ValueTextEquals("data_offsets"u8) && offsets is null)
                    offsets = Numbers(ref reader, name);
                else
                    throw file.Broken($"tensor '{name}' has the unknown or duplicate entry '{Text(ref reader)}'");
            }
            if (dtype is null || shape is null || offsets is null)
                throw file.Broken($"tensor '{name}' lacks its dtype, shape or data_offsets");
            Add(name, dtype, shape, offsets);
        }

        private void Add(string name, string dtype, long[] shape, long[] offsets)
        {
            var type = ElementType.Find(dtype) ?? throw file.Broken($"tensor '{name}' has the unknown dtype '{dtype}'");
            if (offsets is not [var begin, var end] || begin > end || end > file.Length - dataStart)
                throw file.Broken(
                    $"tensor '{name}' has data_offsets {Shapes.Text(offsets)}, outside its {file.Length - dataStart} bytes of data");
            if (SizeInBytes(shape, type.Bits) is not { } size || size != end - begin)
                throw file.Broken($"tensor '{name}' of {dtype} and shape {Shapes.Text(shape)} does not fit its {end - begin} bytes");
            _places.Add((begin, end, name));
            _tensors.Add(new StoredTensor(new TensorEntry(name, type, shape), file, dataStart + begin, StoredTensor.RowMajor(shape)));
        }

        /// <returns>Null if the size is not a whole number of bytes, or the strides do not fit 64 bits.</returns>
        private static long? SizeInBytes(long[] shape, int bits)
        {
            UInt128 size = (UInt128)bits;
            foreach (var axis in shape)
                if ((size *= (UInt128)Math.Max(1, axis)) > long.MaxValue)
                    return null;
            if (shape.Contains(0))
                return 0;
            return size % 8 == 0 ? (long)(size / 8) : null;
        }

        private long[] Numbers(ref Utf8JsonReader reader, string name)
        {
            Expect(ref reader, JsonTokenType.StartArray);
            var numbers = new List<long>();
            while (Next(ref reader) != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
                    throw file.Broken($"tensor '{name}' has a shape or offset that is not a whole number of 0 or more");
                if (numbers.Count == MaxAxes)
                    throw file.Broken($"tensor '{name}' has more than {MaxAxes} axes");
                numbers.Add(number);
            }
            return [.. numbers];
        }

        private void RequireFilled()
        {
            _places.Sort();
            long filled = 0;
            foreach (var (begin, end, name) in _places)
            {
                if (begin != filled)
                    throw file.Broken(
                        $"tensor '{name}' begins at byte {begin} of the data instead of {filled}: tensors overlap or leave a gap");
                filled = end;
            }
            if (filled != file.Length - dataStart)
                throw file.Broken($"it has {file.Length - dataStart - filled} bytes after its last tensor");
        }

        private string Text(ref Utf8JsonReader reader) => (_textBytes += reader.ValueSpan.Length) <= MaxTextBytes
            ? reader.GetString()!
            : throw file.Broken($"its safetensors header holds more than {MaxTextBytes} bytes of text");

        private static JsonTokenType Next(ref Utf8JsonReader reader) => reader.Read() ? reader.TokenType : throw new JsonException();

        private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
        {
            if (Next(ref reader) != type)
                throw new JsonException();
        }
    }
}

/// <summary>Writes safetensors files atomically. Format: https://github.com/huggingface/safetensors.</summary>
public static class SafetensorsWriter
{
    private const int Alignment = 8;

    /// <summary>Python libraries require this metadata to recognize PyTorch weights.</summary>
    private static readonly Dictionary<string, string> DefaultMetadata = new() { ["format"] = "pt" };

    /// <param name="tensors">May have any strides and device; written row-major.</param>
    /// <param name="metadata">Null for <c>format: pt</c>.</param>
    /// <exception cref="CheckpointException">A name is duplicate, a type cannot be stored, or the file cannot be written.</exception>
    public static void Write(
        string path, IEnumerable<KeyValuePair<string, torch.Tensor>> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        Write(path, tensors.Select(pair => new PendingTensor(
            pair.Key, ElementType.For(pair.Value.dtype), pair.Value.shape, stream => TensorWriter.Write(stream, pair.Value))), metadata);

    /// <summary>Writes tensors that are read one by one while the file is written.</summary>
    /// <inheritdoc cref="Write(string, IEnumerable{KeyValuePair{string, torch.Tensor}}, IReadOnlyDictionary{string, string}?)"/>
    internal static void Write(string path, IEnumerable<PendingTensor> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        // Writing the widest elements first keeps every tensor aligned to its element size.
        var ordered = tensors.OrderByDescending(item => item.Type.Bits).ThenBy(item => item.Name, StringComparer.Ordinal).ToList();
        if (ordered.GroupBy(item => item.Name).FirstOrDefault(group => group.Count() > 1 || group.Key == "__metadata__") is { } clash)
            throw new CheckpointException($"'{path}' cannot be written: the tensor name '{clash.Key}' is duplicate or reserved.");
        var header = Header(ordered, metadata ?? DefaultMetadata);
        if (header.Length > SafetensorsHeader.MaxHeaderLength)
            throw new CheckpointException(
                $"'{path}' cannot be written: its header would have {header.Length} bytes, more than the format allows.");

        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[sizeof(long)];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var item in ordered)
                item.Write(stream);
        });
    }

    private static byte[] Header(List<PendingTensor> items, IReadOnlyDictionary<string, string> metadata)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata)
                    json.WriteString(key, value);
                json.WriteEndObject();
            }
            long offset = 0;
            foreach (var item in items)
            {
                json.WriteStartObject(item.Name);
                json.WriteString("dtype", item.Type.Name);
                WriteNumbers(json, "shape", item.Shape);
                WriteNumbers(json, "data_offsets", [offset, offset += item.Bytes]);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        while (buffer.Length % Alignment != 0)
            buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, long[] numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers)
            json.WriteNumberValue(number);
        json.WriteEndArray();
    }
}

/// <summary>A tensor to write: its description, and how to write its data in row-major order.</summary>
internal sealed record PendingTensor(string Name, ElementType Type, long[] Shape, Action<Stream> Write)
{
    public long Bytes => Shape.Aggregate((long)Type.Bytes, (product, size) => checked(product * size));
}

/// <summary>Writes a tensor of any strides and device in row-major order, through a small staging tensor if needed.</summary>
internal static class TensorWriter
{
    private const long ChunkElements = 1 << 20;

    public static void Write(Stream stream, torch.Tensor tensor)
    {
        using var _ = torch.no_grad();
        torch.Tensor? staging = null;
        try
        {
            Slabs.ForEach(tensor, ChunkElements, slab =>
            {
                if (slab.is_contiguous() && slab.device_type == DeviceType.CPU)
                {
                    stream.Write(slab.bytes);
                    return;
                }
                staging ??= torch.empty(Math.Min(ChunkElements, tensor.numel()), dtype: tensor.dtype);
                using var part = staging.narrow(0, 0, slab.numel());
                using var shaped = part.view(slab.shape);
                shaped.copy_(slab);
                stream.Write(part.bytes);
            });
        }
        finally
        {
            staging?.Dispose();
        }
    }
}
