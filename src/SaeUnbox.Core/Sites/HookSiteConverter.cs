using System.Text.Json;
using System.Text.Json.Serialization;

namespace SaeUnbox.Core;

/// <summary>A site in JSON is its code.</summary>
internal sealed class HookSiteConverter : JsonConverter<HookSite>
{
    public override HookSite Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && HookSite.TryParse(reader.GetString(), out var site)
            ? site
            : throw new JsonException($"not a hook site; {HookSite.Expected}");

    public override void Write(Utf8JsonWriter writer, HookSite value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.Code);
}
