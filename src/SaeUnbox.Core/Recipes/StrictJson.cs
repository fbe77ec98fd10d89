using System.Text;
using System.Text.Json;

namespace SaeUnbox.Core;

/// <summary>Parses foreign JSON: no comments, no trailing commas, no repeated names, little depth; every failure is a <see cref="RecipeException"/>.</summary>
internal static class StrictJson
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 8, AllowDuplicateProperties = false };

    public static JsonDocument Parse(string text, string field)
    {
        try
        {
            return JsonDocument.Parse(Utf8.GetBytes(text), Options);
        }
        catch (JsonException error)
        {
            // Line and byte are there where the text breaks the grammar, not where a name is repeated.
            var where = error.LineNumber is { } line ? $" (line {line + 1}, byte {error.BytePositionInLine + 1})" : "";
            throw new RecipeException(field, $"is not valid JSON{where}", error);
        }
        catch (Exception error) when (error is EncoderFallbackException or InvalidOperationException)
        {
            throw new RecipeException(field, "is not valid JSON: it holds half of a surrogate pair", error);
        }
    }
}
