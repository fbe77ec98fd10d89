using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace SaeUnbox.Web.Api;

/// <summary>The OpenAPI document of /api/v1.</summary>
internal static class ApiDocument
{
    public const string Name = "v1", Address = "openapi/v1.json";

    public static void AddApiDocument(this IServiceCollection services)
    {
        // Without this, the document would allow numbers to be strings.
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict);
        services.AddOpenApi(Name, Describe);
    }

    private static void Describe(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, context, _) =>
        {
            document.Info = new()
            {
                Title = "SaeUnbox",
                Version = "1",
                Description = "Make pictures from recipes, list the features that are active in them, and search features. "
                    + "A recipe gives the same pixels here and on the page.",
            };
            // Without servers, clients use the root of the site that the document came from.
            var prefix = context.ApplicationServices.GetRequiredService<IHttpContextAccessor>().HttpContext?.Request.PathBase.Value;
            document.Servers = string.IsNullOrEmpty(prefix) ? null : [new() { Url = prefix }];
            return Task.CompletedTask;
        });
        options.AddSchemaTransformer((schema, context, _) =>
        {
            var type = context.JsonTypeInfo.Type;
            if (type == typeof(Recipe))
                RecipeSchema.Describe(schema);
            else if (type == typeof(Site))
                (schema.Type, schema.Description) = (JsonSchemaType.String, "A site, such as down.2.1");
            else if (type == typeof(BrushMask))
                (schema.Type, schema.Description) = (JsonSchemaType.String, "A mask as ROWSxCOLUMNS/SCALE:DATA, as in an edit");
            else if (type == typeof(EditMode))
                (schema.Type, schema.Description) = (JsonSchemaType.String, $"A mode of edits: {EditMode.Names(", ")}");
            else if (type == typeof(PictureFile))
                (schema.Type, schema.Format, schema.Description) = (JsonSchemaType.String, "binary", "The picture's bytes");
            return Task.CompletedTask;
        });
    }
}

/// <summary>A picture's bytes in the document's schemas.</summary>
internal sealed class PictureFile;

/// <summary>The recipe's JSON schema, written by hand like the recipe's JSON converter; docs/recipe.md has the details.</summary>
internal static class RecipeSchema
{
    public static void Describe(OpenApiSchema schema)
    {
        var whole = Object("Everything that makes a picture. Missing fields take the model's defaults.", new()
        {
            ["version"] = Number("Version of the format", JsonSchemaType.Integer, 1, Recipe.Version),
            ["model"] = Text("The model's name", RecipeLimits.MaxNameLength),
            ["saes"] = Text("The set of autoencoders that numbers the features; by default the model's own", RecipeLimits.MaxNameLength),
            ["loras"] = List("The LoRAs that are merged into the model; by default the model's own", RecipeLimits.MaxLoras, Lora()),
            ["prompt"] = Text("What the picture shows", RecipeLimits.MaxPromptLength),
            ["negativePrompt"] = Text("What guidance steers away from", RecipeLimits.MaxPromptLength),
            ["seed"] = Number("Seed of the noise", JsonSchemaType.Integer, 0, long.MaxValue),
            ["steps"] = Number("Denoising steps", JsonSchemaType.Integer, 1, RecipeLimits.MaxSteps),
            ["guidance"] = Number("Scale of guidance; values up to 1 switch it off", JsonSchemaType.Number, 0, RecipeLimits.MaxGuidance),
            ["width"] = Side("Width in pixels"),
            ["height"] = Side("Height in pixels"),
            ["dtype"] = OneOf("Number format of the run", "fp32", "bf16", "fp16", "int8"),
            ["vae"] = OneOf("The decoder", "kl", "tiny"),
            ["overlap"] = OneOf(
                "Where edits of one site overlap: sum adds them up (the default), cover lets the later one win", [.. Names.All<Overlap>()]),
            ["edits"] = List("Painted features, applied in this order", RecipeLimits.MaxEdits, Edit()),
            ["interventions"] = List("At most one per site, applied before the edits", null, Intervention()),
        });
        (schema.Type, schema.Description, schema.Properties) = (whole.Type, whole.Description, whole.Properties);
        const string Example = """{"prompt":"a red house on snow","seed":7,"edits":[{"site":"up.0.1","feature":12,"strength":8}]}""";
        schema.Examples = [JsonNode.Parse(Example)!];
    }

    private static string FindCells => string.Join(" and ", EditMode.All.Where(mode => mode.FindsCells));

    private static OpenApiSchema Edit() => Object("A feature painted at a site", new()
    {
        ["site"] = Text("down.B.A, mid.A or up.B.A; text.N for a layer of the text encoder", null),
        ["feature"] = Number("The feature's number", JsonSchemaType.Integer, 0, int.MaxValue),
        ["also"] = List("Further features of the same site that act together with it", RecipeLimits.MaxFeatures - 1,
            Number("The feature's number", JsonSchemaType.Integer, 0, int.MaxValue)),
        ["weights"] = List("A factor of the strength for each feature, 'feature' first; by default 1", RecipeLimits.MaxFeatures,
            Number("The factor", JsonSchemaType.Number, -1, 1)),
        ["mode"] = OneOf(
            string.Join("; ", EditMode.All.Select(mode => $"{mode.Name}: {mode.Formula}")), [.. EditMode.All.Select(mode => mode.Name)]),
        ["strength"] = Number("Factor of the edit", JsonSchemaType.Number, RecipeLimits.MinStrength, RecipeLimits.MaxStrength),
        ["mask"] = new OpenApiSchema
        {
            Description = "A value from 0 to 1 for each cell of the site's grid, as rows of numbers or as the text "
                + "ROWSxCOLUMNS/SCALE:DATA; by default the whole picture",
            Type = JsonSchemaType.String | JsonSchemaType.Array,
        },
        ["threshold"] = Number($"Cells with a higher activation are found; for {FindCells}", JsonSchemaType.Number, 0,
            RecipeLimits.MaxThreshold),
        ["grow"] = Number($"How many cells the found area grows on every side; for {FindCells}", JsonSchemaType.Integer, 0,
            RecipeLimits.MaxGrow),
        ["firstStep"] = Number("The first denoising step of the edit", JsonSchemaType.Integer, 0, RecipeLimits.MaxSteps),
        ["lastStep"] = Number("The first denoising step after the edit", JsonSchemaType.Integer, 1, RecipeLimits.MaxSteps),
        ["enabled"] = new OpenApiSchema { Description = "Whether the edit is switched on", Type = JsonSchemaType.Boolean },
        ["name"] = Text("A name for the layer", RecipeLimits.MaxNameLength),
    }, "site", "feature", "strength");

    private static OpenApiSchema Lora() => Object("A LoRA", new()
    {
        ["name"] = Text("Its file's name", RecipeLimits.MaxNameLength),
        ["scale"] = new OpenApiSchema { Description = "The factor of what it adds", Type = JsonSchemaType.Number },
        ["fingerprint"] = Text("A hash that identifies the file: 16 hexadecimal digits", null),
    }, "name", "scale", "fingerprint");

    private static OpenApiSchema Intervention() => Object("A change to a site's whole output", new()
    {
        ["kind"] = OneOf("The kind of change", "reconstruct", "ablate", "icon"),
        ["site"] = Text("down.B.A, mid.A or up.B.A", null),
        ["feature"] = Number("The feature of an icon", JsonSchemaType.Integer, 0, int.MaxValue),
    }, "kind", "site");

    private static OpenApiSchema Object(string description, Dictionary<string, IOpenApiSchema> fields, params string[] required) => new()
    {
        Type = JsonSchemaType.Object,
        Description = description,
        Properties = fields,
        Required = new HashSet<string>(required),
        AdditionalPropertiesAllowed = false,
    };

    private static OpenApiSchema Text(string description, int? maxLength) =>
        new() { Type = JsonSchemaType.String, Description = description, MaxLength = maxLength };

    private static OpenApiSchema OneOf(string description, params string[] values) =>
        new() { Type = JsonSchemaType.String, Description = description, Enum = [.. values.Select(value => (JsonNode)value)] };

    private static OpenApiSchema Side(string description)
    {
        var side = Number(description, JsonSchemaType.Integer, RecipeLimits.SideMultiple, RecipeLimits.MaxSide);
        side.MultipleOf = RecipeLimits.SideMultiple;
        return side;
    }

    private static OpenApiSchema Number(string description, JsonSchemaType type, double min, double max) => new()
    {
        Type = type,
        Description = description,
        Minimum = min.ToString(CultureInfo.InvariantCulture),
        Maximum = max >= long.MaxValue ? long.MaxValue.ToString(CultureInfo.InvariantCulture) : max.ToString(CultureInfo.InvariantCulture),
    };

    private static OpenApiSchema List(string description, int? maxItems, OpenApiSchema item) =>
        new() { Type = JsonSchemaType.Array, Description = description, MaxItems = maxItems, Items = item };
}
