using System.Globalization;
using System.Text.Json.Nodes;
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

/// <summary>The recipe as JSON schema: its converter is written by hand, so nothing can be read off the type. docs/recipe.md in short.</summary>
internal static class RecipeSchema
{
    public static void Describe(OpenApiSchema schema)
    {
        var whole = Object("Everything that makes a picture. What is left out is the model's own.", new()
        {
            ["version"] = Number("1", JsonSchemaType.Integer, 1, 1),
            ["model"] = Text("The model's name", RecipeLimits.MaxNameLength),
            ["saes"] = Text("The set of autoencoders the features are numbered in; the model's own where left out", RecipeLimits.MaxNameLength),
            ["prompt"] = Text("What to make", RecipeLimits.MaxPromptLength),
            ["negativePrompt"] = Text("What to steer away from under guidance", RecipeLimits.MaxPromptLength),
            ["seed"] = Number("Of the noise", JsonSchemaType.Integer, 0, long.MaxValue),
            ["steps"] = Number("Denoising steps", JsonSchemaType.Integer, 1, RecipeLimits.MaxSteps),
            ["guidance"] = Number("Scale of guidance; up to 1 there is none", JsonSchemaType.Number, 0, RecipeLimits.MaxGuidance),
            ["width"] = Side("Width in pixels"),
            ["height"] = Side("Height in pixels"),
            ["dtype"] = OneOf("Number format of the run", "fp32", "bf16", "fp16"),
            ["vae"] = OneOf("The decoder", "kl", "tiny"),
            ["edits"] = List("Painted features, applied in this order", RecipeLimits.MaxEdits, Edit()),
            ["interventions"] = List("At most one a site, applied before the edits", null, Intervention()),
        });
        (schema.Type, schema.Description, schema.Properties) = (whole.Type, whole.Description, whole.Properties);
        schema.Examples = [JsonNode.Parse("""{"prompt":"a red house on snow","seed":7,"edits":[{"site":"up.0.1","feature":12,"strength":8}]}""")!];
    }

    private static OpenApiSchema Edit() => Object("A feature painted at a site", new()
    {
        ["site"] = Text("down.B.A, mid.A or up.B.A", null),
        ["feature"] = Number("Its number", JsonSchemaType.Integer, 0, int.MaxValue),
        ["mode"] = OneOf(string.Join("; ", EditMode.All.Select(mode => $"{mode.Name}: {mode.Formula}")), [.. EditMode.All.Select(mode => mode.Name)]),
        ["strength"] = Number("How strongly", JsonSchemaType.Number, RecipeLimits.MinStrength, RecipeLimits.MaxStrength),
        ["mask"] = new OpenApiSchema { Description = "A value from 0 to 1 for each cell of the site's grid: rows of numbers, or the text ROWSxCOLUMNS/SCALE:DATA; everywhere where left out", Type = JsonSchemaType.String | JsonSchemaType.Array },
        ["firstStep"] = Number("The first denoising step", JsonSchemaType.Integer, 0, RecipeLimits.MaxSteps),
        ["lastStep"] = Number("The step before which it ends", JsonSchemaType.Integer, 1, RecipeLimits.MaxSteps),
        ["enabled"] = new OpenApiSchema { Description = "false: kept, but switched off", Type = JsonSchemaType.Boolean },
    }, "site", "feature", "strength");

    private static OpenApiSchema Intervention() => Object("A site's whole output replaced", new()
    {
        ["kind"] = OneOf("What is done", "reconstruct", "ablate", "icon"),
        ["site"] = Text("down.B.A, mid.A or up.B.A", null),
        ["feature"] = Number("For icon", JsonSchemaType.Integer, 0, int.MaxValue),
    }, "kind", "site");

    private static OpenApiSchema Object(string description, Dictionary<string, IOpenApiSchema> fields, params string[] required) =>
        new() { Type = JsonSchemaType.Object, Description = description, Properties = fields, Required = new HashSet<string>(required), AdditionalPropertiesAllowed = false };

    private static OpenApiSchema Text(string description, int? most) => new() { Type = JsonSchemaType.String, Description = description, MaxLength = most };

    private static OpenApiSchema OneOf(string description, params string[] values) => new() { Type = JsonSchemaType.String, Description = description, Enum = [.. values.Select(value => (JsonNode)value)] };

    private static OpenApiSchema Side(string description)
    {
        var side = Number(description, JsonSchemaType.Integer, RecipeLimits.SideMultiple, RecipeLimits.MaxSide);
        side.MultipleOf = RecipeLimits.SideMultiple;
        return side;
    }

    private static OpenApiSchema Number(string description, JsonSchemaType type, double least, double most) => new()
    {
        Type = type, Description = description, Minimum = least.ToString(CultureInfo.InvariantCulture),
        Maximum = most >= long.MaxValue ? long.MaxValue.ToString(CultureInfo.InvariantCulture) : most.ToString(CultureInfo.InvariantCulture),
    };

    private static OpenApiSchema List(string description, int? most, OpenApiSchema item) => new() { Type = JsonSchemaType.Array, Description = description, MaxItems = most, Items = item };
}
