using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;

namespace SaeUnbox.Models;

/// <summary>
/// The header of a safetensors file: eight bytes of length, then JSON that places every tensor. It is checked as a whole before any
/// data is touched: tensors must fill the rest of the file without overlap, hole or left-over.
/// Format: https://github.com/huggingface/safetensors.
/// </summary>
internal sealed record SafetensorsHeader(IReadOnlyList<StoredTensor> Tensors, IReadOnlyDictionary<string, string> Metadata)
{
    /// <summary>The format's own limit.</summary>
    public const long LongestHeader = 100_000_000;

    /// <summary>More tensors than any model has; bounds the memory that a hostile header can take.</summary>
    public const int MostTensors = 100_000;

    private const int MostTexts = 10_000;

    // Names and metadata together.
    private const int MostTextBytes = 16 << 20;
    private const int MostAxes = 64;

    private const int Prefix = 8;

    public static SafetensorsHeader Read(SourceFile file)
    {
        if (file.Length < Prefix) throw file.Broken($"it has {file.Length} bytes, too few for a safetensors file");
        Span<byte> prefix = stackalloc byte[Prefix];
        file.ReadExactly(0, prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length is < 2 or > LongestHeader || (long)length > file.Length - Prefix)
            throw file.Broken($"its safetensors header would have {length} bytes, the file has {file.Length}");

        var json = new byte[length];
        file.ReadExactly(Prefix, json);
        if (json[0] != '{') throw file.Broken("its safetensors header does not begin with {");
        if (!Utf8.IsValid(json)) throw file.Broken("its safetensors header is not UTF-8");
        try
        {
            return new HeaderParser(file, Prefix + (long)length).Parse(json);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw file.Broken("its safetensors header is not the JSON object that the format asks for", exception);
        }
    }

    /// <summary>Reads the JSON token by token, so that duplicates are seen and nothing but the wanted values is kept.</summary>
    private sealed class HeaderParser(SourceFile file, long dataStart)
    {
        private readonly HashSet<string> names = [];
        private readonly List<StoredTensor> tensors = [];
        private readonly Dictionary<string, string> metadata = [];
        private readonly List<(long Begin, long End, string Name)> places = [];
        private long textBytes;

        public SafetensorsHeader Parse(ReadOnlySpan<byte> json)
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 16 });
            Expect(ref reader, JsonTokenType.StartObject);
            while (Next(ref reader) == JsonTokenType.PropertyName)
            {
                var name = Text(ref reader);
                if (!names.Add(name)) throw file.Broken($"its safetensors header has '{name}' twice");
                if (name == "__metadata__") ParseMetadata(ref reader);
                else ParseTensor(ref reader, name);
            }
            while (reader.Read()) { }
            RequireFilled();
            return new SafetensorsHeader(tensors, metadata);
        }

        private void ParseMetadata(ref Utf8JsonReader reader)
        {
            Expect(ref reader, JsonTokenType.StartObject);
            while (Next(ref reader) == JsonTokenType.PropertyName)
            {
                var key = Text(ref reader);
                if (Next(ref reader) != JsonTokenType.String) throw file.Broken($"its metadata '{key}' is not a string");
                if (!metadata.TryAdd(key, Text(ref reader))) throw file.Broken($"its metadata has '{key}' twice");
                if (metadata.Count > MostTexts) throw file.Broken($"its metadata has more than {MostTexts} entries");
            }
        }

        private void ParseTensor(ref Utf8JsonReader reader, string name)
        {
            if (tensors.Count == MostTensors) throw file.Broken($"it lists more than {MostTensors} tensors");
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
                else if (reader.ValueTextEquals("shape"u8) && shape is null) shape = Numbers(ref reader, name);
                else if (reader.ValueTextEquals("data_offsets"u8) && offsets is null) offsets = Numbers(ref reader, name);
                else throw file.Broken($"tensor '{name}' has the entry '{Text(ref reader)}' twice, or it is unknown");
            }
            if (dtype is null || shape is null || offsets is null) throw file.Broken($"tensor '{name}' lacks its dtype, shape or data_offsets");
            Add(name, dtype, shape, offsets);
        }

        private void Add(string name, string dtype, long[] shape, long[] offsets)
        {
            var type = ElementType.Find(dtype) ?? throw file.Broken($"tensor '{name}' has the unknown dtype '{dtype}'");
            if (offsets is not [var begin, var end] || begin > end || end > file.Length - dataStart)
                throw file.Broken($"tensor '{name}' has data_offsets {Shapes.Text(offsets)}, outside its {file.Length - dataStart} bytes of data");
            if (SizeInBytes(shape, type.Bits) is not { } size || size != end - begin)
                throw file.Broken($"tensor '{name}' of {dtype} and shape {Shapes.Text(shape)} does not fit its {end - begin} bytes");
            places.Add((begin, end, name));
            tensors.Add(new StoredTensor(new TensorEntry(name, type, shape), file, dataStart + begin, StoredTensor.RowMajor(shape)));
        }

        /// <summary>Null where the size is no whole number of bytes, or the strides of the axes do not fit 64 bits.</summary>
        private static long? SizeInBytes(long[] shape, int bits)
        {
            UInt128 size = (UInt128)bits;
            foreach (var axis in shape)
                if ((size *= (UInt128)Math.Max(1, axis)) > long.MaxValue) return null;
            if (shape.Contains(0)) return 0;
            return size % 8 == 0 ? (long)(size / 8) : null;
        }

        private long[] Numbers(ref Utf8JsonReader reader, string name)
        {
            Expect(ref reader, JsonTokenType.StartArray);
            var numbers = new List<long>();
            while (Next(ref reader) != JsonTokenType.EndArray)
            {
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out var number) || number < 0)
                    throw file.Broken($"tensor '{name}' has a shape or offset that is no whole number from 0");
                if (numbers.Count == MostAxes) throw file.Broken($"tensor '{name}' has more than {MostAxes} axes");
                numbers.Add(number);
            }
            return [.. numbers];
        }

        private void RequireFilled()
        {
            places.Sort();
            long filled = 0;
            foreach (var (begin, end, name) in places)
            {
                if (begin != filled)
                    throw file.Broken($"tensor '{name}' begins at byte {begin} of the data where {filled} was due: tensors overlap or leave a hole");
                filled = end;
            }
            if (filled != file.Length - dataStart) throw file.Broken($"it has {file.Length - dataStart - filled} bytes after its last tensor");
        }

        private string Text(ref Utf8JsonReader reader) => (textBytes += reader.ValueSpan.Length) <= MostTextBytes
            ? reader.GetString()!
            : throw file.Broken($"its safetensors header holds more than {MostTextBytes} bytes of text");

        private static JsonTokenType Next(ref Utf8JsonReader reader) => reader.Read() ? reader.TokenType : throw new JsonException();

        private static void Expect(ref Utf8JsonReader reader, JsonTokenType type)
        {
            if (Next(ref reader) != type) throw new JsonException();
        }
    }
}
