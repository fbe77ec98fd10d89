using System.Text.Json.Serialization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace SaeUnbox.Web.Api;

/// <summary>The OpenAPI document of /api/v1.</summary>
internal static class ApiDocument
{
    public const string Name = "v1", Address = "/openapi/v1.json";

    public static void AddApiDocument(this IServiceCollection services)
    {
        // A number is a number: not a text, too.
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict);
        services.AddOpenApi(Name, Describe);
    }

    private static void Describe(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new() { Title = "SaeUnbox", Version = "1", Description = "Make pictures from recipes, see which features are active in them, look features up. The same recipe gives the same pixels here and on the page." };
            // Where it was asked for is where it is.
            document.Servers?.Clear();
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer((schema, context, _) =>
        {
            var type = context.JsonTypeInfo.Type;
            if (type == typeof(Recipe))
                RecipeSchema.Describe(schema);
            else if (type == typeof(HookSite))
                (schema.Type, schema.Description) = (JsonSchemaType.String, "A site, such as down.2.1");
            else if (type == typeof(BrushMask))
                (schema.Type, schema.Description) = (JsonSchemaType.String, "ROWSxCOLUMNS/SCALE:DATA, see the mask of an edit");
            else if (type == typeof(PictureFile))
                (schema.Type, schema.Format, schema.Description) = (JsonSchemaType.String, "binary", "The picture's bytes");
            return Task.CompletedTask;
        });
    }
}

/// <summary>Stands for a picture's bytes.</summary>
internal sealed class PictureFile;
