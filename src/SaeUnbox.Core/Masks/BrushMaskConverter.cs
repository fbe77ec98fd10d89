using System.Text.Json;
using System.Text.Json.Serialization;

namespace SaeUnbox.Core;

/// <summary>A mask in JSON is its text form; an array of rows is read as well.</summary>
internal sealed class BrushMaskConverter : JsonConverter<BrushMask>
{
    public override BrushMask Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        var element = JsonElement.ParseValue(ref reader);
        return Fields.Mask(element, out var mask) is { } problem ? throw new JsonException(problem) : mask!;
    }

    public override void Write(Utf8JsonWriter writer, BrushMask value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}
