using Microsoft.OpenApi;

namespace SaeUnbox.Web.Components.Pages.Reference;

/// <summary>Describes JSON schemas in words.</summary>
internal static class SchemaText
{
    /// <summary>Such as "integer, 0 to 40", "list of ActiveFeature", "add or scale".</summary>
    public static string Kind(IOpenApiSchema? schema) => schema switch
    {
        null => "",
        OpenApiSchemaReference reference => reference.Reference.Id ?? "",
        { OneOf: { Count: > 0 } choices } =>
            string.Join(" or ", choices.Where(choice => choice.Type != JsonSchemaType.Null).Select(Kind)),
        { Enum: { Count: > 0 } values } => string.Join(", ", values.Select(value => value.ToString())),
        { Type: { } type } when type.HasFlag(JsonSchemaType.Array) => schema.Items switch
        {
            null => "text or rows",
            OpenApiSchema { Properties.Count: > 0 } => "list",
            var items => $"list of {Kind(items)}",
        },
        { Type: { } type } => Name(type) + Bounds(schema),
        _ => "",
    };

    /// <summary>Such as "200 (image/png, image/jpeg), 400, 429".</summary>
    public static string Answers(OpenApiOperation operation) => string.Join(", ",
        (operation.Responses ?? []).OrderBy(answer => answer.Key, StringComparer.Ordinal).Select(answer => answer.Key + Types(answer)));

    /// <summary>The types of requests and answers, the recipe first, without the standard types of errors.</summary>
    public static IEnumerable<KeyValuePair<string, IOpenApiSchema>> Named(OpenApiDocument document) =>
        (document.Components?.Schemas ?? new Dictionary<string, IOpenApiSchema>())
        .Where(schema => schema.Value.Properties is { Count: > 0 } && !schema.Key.EndsWith("ProblemDetails", StringComparison.Ordinal))
        .OrderBy(schema => schema.Key != "Recipe").ThenBy(schema => schema.Key, StringComparer.Ordinal);

    private static string Types(KeyValuePair<string, IOpenApiResponse> answer) =>
        answer.Key[0] == '2' && answer.Value.Content is { Count: > 0 } content
            ? $" ({string.Join(", ", content.Select(one => Content(one.Key, one.Value.Schema)))})"
            : "";

    private static string Content(string type, IOpenApiSchema? schema) =>
        type == "application/json" && Kind(schema) is { Length: > 0 } kind ? kind : type;

    private static string Name(JsonSchemaType type) => (type & ~JsonSchemaType.Null) switch
    {
        JsonSchemaType.Boolean => "true or false",
        var one when one.HasFlag(JsonSchemaType.Integer) => "integer",
        var one when one.HasFlag(JsonSchemaType.Number) => "number",
        JsonSchemaType.String => "text",
        _ => "object",
    };

    private static string Bounds(IOpenApiSchema schema) => schema switch
    {
        { Minimum: { } min, Maximum: { } max } => max.Length > 9 ? $", from {min}" : min == max ? "" : $", {min} to {max}",
        { MaxLength: { } length } => FormattableString.Invariant($", at most {length:N0} characters"),
        _ => "",
    };
}
