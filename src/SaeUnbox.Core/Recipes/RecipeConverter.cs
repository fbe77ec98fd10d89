using System.Text.Json;
using System.Text.Json.Serialization;

namespace SaeUnbox.Core;

/// <summary>A recipe inside other JSON, such as a job's message, has the same canonical form.</summary>
internal sealed class RecipeConverter : JsonConverter<Recipe>
{
    public override Recipe Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            using var document = JsonDocument.ParseValue(ref reader);
            return Recipe.FromJson(document.RootElement.GetRawText());
        }
        catch (RecipeException error)
        {
            throw new JsonException(error.Message, error);
        }
    }

    public override void Write(Utf8JsonWriter writer, Recipe value, JsonSerializerOptions options) =>
        writer.WriteRawValue(value.ToJson());
}
