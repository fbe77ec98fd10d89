using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Hosting;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Api;

/// <summary>/api/v1 offers to programs what the pages offer to people. /openapi/v1.json describes it and /api shows it.</summary>
internal static class PublicApi
{
    private const string Address = "/api/v1";
    private const string Json = "application/json", Png = "image/png", Jpeg = "image/jpeg", WebP = "image/webp";

    public static void AddPublicApi(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddAnnotatedOptions<ApiOptions>(configuration, ApiOptions.Section);
        services.AddSingleton<JobClient>();
        services.AddSingleton<MadePictures>();
        services.AddApiDocument();
    }

    public static void MapPublicApi(this WebApplication app)
    {
        app.Use((context, next) =>
        {
            if (context.Request.Path.StartsWithSegments(Address))
                context.Request.QueryString = WithPlainWholeNumbers(context.Request.Query);
            return next(context);
        });
        app.MapOpenApi("/openapi/{documentName}.json");
        var api = app.MapGroup(Address).AddEndpointFilter(ApiProblems.Filter)
            .AddEndpointFilter(ApiKeys.Filter).DisableAntiforgery().ProducesProblem(429);
        var pictures = api.MapGroup("").WithTags("Pictures");
        pictures.MapPost("/generate", GenerateAsync).WithSummary("Make a recipe's picture")
            .WithDescription("The Accept header selects the format: a PNG that contains the recipe, a JPEG or a WebP. Missing fields of "
                + "the recipe take the model's defaults. The header Server-Timing gives the duration of each stage. The header "
                    + "Recipe-Note, "
                + "percent-encoded, says what had no effect, such as the words behind the prompt's last token.")
            .Accepts<Recipe>(Json).Produces<PictureFile>(200, Png, Jpeg, WebP).ProducesValidationProblem().ProducesProblem(503);
        pictures.MapPost("/explore", ExploreAsync).WithSummary("List the features that are active in a recipe's picture")
            .WithDescription("Returns the active features of each site and cell with their activations, but no picture. The Accept header "
                + $"{ActivationMapFile.MediaType} gives them as safetensors: SITE.indices (I32) and SITE.values (F32), both of the shape "
                + "[steps, rows, columns, k].")
            .Accepts<Recipe>(Json)
                .Produces<Exploration>(200, Json, ActivationMapFile.MediaType)
                .ProducesValidationProblem()
                .ProducesProblem(503);
        pictures.MapPost("/selection", SelectAsync)
            .WithSummary("Find the features that are active in a region of a picture and not elsewhere")
            .WithDescription("Compares the shares of all activation inside and outside of the region, over all steps. An edit takes the "
                + "features of a site as feature and also.")
            .Accepts<SelectionRequest>(Json).Produces<Selection>().ProducesValidationProblem().ProducesProblem(503);
        var recipes = api.MapGroup("/recipes").WithTags("Recipes");
        recipes.MapPost("", SaveAsync).WithSummary("Save a recipe under a short address")
            .Accepts<Recipe>(Json).Produces<SavedRecipe>(201).ProducesValidationProblem();
        recipes.MapGet("/{id}", FindAsync).WithSummary("Get a saved recipe").Produces<Recipe>().ProducesProblem(404);
        api.MapFeatureApi();
    }

    private static async Task<IResult> GenerateAsync(HttpContext context, JobClient jobs, CancellationToken cancellation)
    {
        var recipe = await ReadAsync(context, cancellation);
        // PNG comes first, because only it contains the recipe.
        var type = Preferred(context, Png, Jpeg, WebP);
        var format = type switch { Jpeg => PictureFormat.Jpeg, WebP => PictureFormat.WebP, _ => PictureFormat.Png };
        var job = new GenerationJob(Guid.NewGuid(), recipe.Check()) { Picture = format };
        var result = await jobs.RunAsync(job, ClientKey.Of(context), cancellation);
        context.Response.Headers["Server-Timing"] = string.Join(", ", result.Timings
            .Select(stage => FormattableString.Invariant($"{stage.Stage};dur={stage.Duration.TotalMilliseconds:0.0}")));
        SendNote(context, result);
        return TypedResults.Bytes(result.Picture.ToArray(), type);
    }

    private static async Task<IResult> ExploreAsync(
        HttpContext context, JobClient jobs, IModelCatalogue catalogue, CancellationToken cancellation)
    {
        var result = await ReadMapsAsync(await ReadAsync(context, cancellation), context, jobs, catalogue, cancellation);
        if (Preferred(context, Json, ActivationMapFile.MediaType) == Json)
            return TypedResults.Ok(new Exploration([.. result.Maps.All.Select(SiteReading.Of)], result.Note));
        SendNote(context, result);
        return TypedResults.Bytes(ActivationMapFile.OfRun(result.Maps), ActivationMapFile.MediaType);
    }

    private static async Task<IResult> SelectAsync(
        HttpContext context, JobClient jobs, IModelCatalogue catalogue, CancellationToken cancellation)
    {
        var request = SelectionRequest.FromJson(await ReadTextAsync(context, cancellation), NewRecipe(context.RequestServices));
        var result = await ReadMapsAsync(request.Recipe, context, jobs, catalogue, cancellation);
        return TypedResults.Ok(Selection.Of(result.Maps, request.Region, request.Top));
    }

    private static async Task<GenerationResult> ReadMapsAsync(
        Recipe recipe, HttpContext context, JobClient jobs, IModelCatalogue catalogue, CancellationToken cancellation)
    {
        var sites = catalogue.Find(recipe.Model)?.Sites.Select(sae => sae.Site) ?? [];
        var job = new GenerationJob(Guid.NewGuid(), recipe.Check()) { Picture = null, Sites = [.. sites] };
        return await jobs.RunAsync(job, ClientKey.Of(context), cancellation);
    }

    private static async Task<IResult> SaveAsync(
        HttpContext context, IShareStore shares, IModelCatalogue catalogue, ClientLimits limits, CancellationToken cancellation)
    {
        var recipe = await ReadAsync(context, cancellation);
        limits.Check(recipe, ModelFit.Require(recipe, catalogue));
        limits.AdmitStored(ClientKey.Of(context), recipe);
        var id = await shares.SaveAsync(recipe, cancellation);
        var address = $"{context.Request.PathBase}/s/{id}";
        return TypedResults.Created(address, new SavedRecipe(id, address));
    }

    private static async Task<IResult> FindAsync(
        string id, HttpContext context, IShareStore shares, ClientLimits limits, CancellationToken cancellation)
    {
        limits.AdmitReading(ClientKey.Of(context));
        return await shares.FindAsync(ShareId.Find(id), cancellation) is { } recipe
            ? TypedResults.Content(recipe.ToJson(), Json)
            : TypedResults.Problem($"There is no recipe with the id '{id}'.", statusCode: StatusCodes.Status404NotFound);
    }

    private static async Task<Recipe> ReadAsync(HttpContext context, CancellationToken cancellation) =>
        Recipe.FromJson(await ReadTextAsync(context, cancellation), NewRecipe(context.RequestServices));

    private static async Task<string> ReadTextAsync(HttpContext context, CancellationToken cancellation)
    {
        var body = await context.Request.BodyReader.ReadAtLeastAsync(RecipeLimits.MaxJsonBytes + 1, cancellation);
        try
        {
            return body.Buffer.Length <= RecipeLimits.MaxJsonBytes ? Encoding.UTF8.GetString(body.Buffer)
                : throw RecipeException.TooLong($"more than {RecipeLimits.MaxJsonBytes} bytes");
        }
        finally
        {
            // Else the server cannot read past the rest of a body that is refused, and logs that as an error.
            context.Request.BodyReader.AdvanceTo(body.Buffer.End);
        }
    }

    // The default model's settings.
    private static Recipe NewRecipe(IServiceProvider services)
    {
        var serving = services.GetRequiredService<IServingState>();
        var model = services.GetRequiredService<IModelCatalogue>().Models.FirstOrDefault()
            ?? throw new JobFailedException(serving.Failure ?? serving.Missing ?? "The model is still loading; try again in a moment.");
        return model.NewRecipe();
    }

    // The framework reads no 7.0 as a whole number.
    private static QueryString WithPlainWholeNumbers(IQueryCollection query) =>
        QueryString.Create(query.Select(pair => pair.Key is "offset" or "limit" && PlainNumber.TryWhole(pair.Value, out long whole)
            ? KeyValuePair.Create(pair.Key, new StringValues(whole.ToString(CultureInfo.InvariantCulture)))
            : pair));

    private static void SendNote(HttpContext context, GenerationResult result)
    {
        if (result.Note is { } note)
            context.Response.Headers["Recipe-Note"] = Uri.EscapeDataString(note);
    }

    // The type of the highest quality in the header Accept, of equal ones the first.
    private static string Preferred(HttpContext context, params string[] types)
    {
        var accepted = context.Request.GetTypedHeaders().Accept;
        context.Response.Headers.Vary = HeaderNames.Accept;
        return types.MaxBy(Quality)!;

        double Quality(string type) =>
            accepted.Where(one => one.MatchesMediaType(type)).Select(one => one.Quality ?? 1).DefaultIfEmpty(0).Max();
    }
}

/// <param name="Id">The recipe's id.</param>
/// <param name="Address">The address that opens the recipe in the studio.</param>
public sealed record SavedRecipe(string Id, string Address);

/// <summary>The features that are active in a picture.</summary>
/// <param name="Sites">What was read at each site.</param>
/// <param name="Note">What of the recipe had no effect, such as the words behind the last token; null for nothing.</param>
public sealed record Exploration(IReadOnlyList<SiteReading> Sites, string? Note = null);

/// <param name="Site">The site that was read.</param>
/// <param name="Step">The denoising step.</param>
/// <param name="Rows">Height of the grid in cells.</param>
/// <param name="Columns">Width of the grid in cells.</param>
/// <param name="K">Features per cell.</param>
/// <param name="Indices">rows x columns x k feature numbers, cell by cell from the upper left.</param>
/// <param name="Values">Activations of these features; 0 where fewer than k were active.</param>
/// <param name="Top">The ten features with the largest mean over the grid.</param>
/// <param name="ExplainedVariance">The share of the block's output that the features explain, 0 to 1.</param>
public sealed record SiteReading(
    Site Site, int Step, int Rows, int Columns, int K, int[] Indices, float[] Values, IReadOnlyList<ActiveFeature> Top,
    double? ExplainedVariance)
{
    private const int TopCount = 10;

    public static SiteReading Of(SiteActivations map) => new(map.Site, map.Step, map.Rows, map.Columns, map.K, map.Indices.ToArray(),
        map.Values.ToArray(), map.Top(TopCount), map.ExplainedVariance);
}

/// <summary>A region of a picture.</summary>
/// <param name="Recipe">Makes the picture. Missing fields take the model's defaults.</param>
/// <param name="Region">What is selected, on any grid.</param>
/// <param name="Top">Features to find at each site, 1 to 100; by default 5.</param>
public sealed record SelectionRequest(Recipe Recipe, BrushMask Region, int Top = 5)
{
    private const int MaxTop = 100;

    /// <exception cref="RecipeException">A field is missing or invalid.</exception>
    internal static SelectionRequest FromJson(string json, Recipe defaults)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            var recipe = Recipe.FromJson(Field(root, "recipe").GetRawText(), defaults);
            var region = Field(root, "region").Deserialize<BrushMask>()!;
            var top = root.TryGetProperty("top", out var given) ? given.GetInt32() : 5;
            return top is >= 1 and <= MaxTop ? new(recipe, region, top) : throw new RecipeException("top", $"is {top}; use 1 to {MaxTop}");
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new RecipeException("selection", $"is not a JSON object with recipe and region: {error.Message}", error);
        }
    }

    private static JsonElement Field(JsonElement root, string name) =>
        root.TryGetProperty(name, out var value) ? value : throw new RecipeException(name, "is missing");
}

/// <summary>The features of a region.</summary>
/// <param name="Sites">The sites at which some feature has a larger share of all activation in the region than elsewhere.</param>
public sealed record Selection(IReadOnlyList<ConceptSite> Sites)
{
    internal static Selection Of(ActivationMaps maps, BrushMask region, int top) => new(
    [
        .. ConceptTally.OfRegion(maps, region).Select(site => new ConceptSite(site.Key, site.Value.Best(top)))
            .Where(site => site.Features.Count > 0),
    ]);
}
