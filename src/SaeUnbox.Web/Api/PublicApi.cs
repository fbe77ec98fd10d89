using Microsoft.Net.Http.Headers;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Api;

/// <summary>/api/v1: what the pages can do, for programs. /openapi/v1.json describes it, /api shows it.</summary>
internal static class PublicApi
{
    private const int MostBytes = 4 << 20;
    private const string Json = "application/json", Png = "image/png", Jpeg = "image/jpeg", WebP = "image/webp";

    public static void AddPublicApi(this IServiceCollection services)
    {
        services.AddSingleton<JobClient>();
        services.AddApiDocument();
    }

    public static void MapPublicApi(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName}.json");
        var api = app.MapGroup("/api/v1").AddEndpointFilter(ApiProblems.Filter).DisableAntiforgery().ProducesProblem(429);
        var pictures = api.MapGroup("").WithTags("Pictures");
        pictures.MapPost("/generate", GenerateAsync).WithSummary("The picture of a recipe")
            .WithDescription("A PNG with the recipe inside, a JPEG or a WebP, by Accept. Fields that the recipe leaves out are the model's own. The header Server-Timing tells how long each stage took.")
            .Accepts<Recipe>(Json).Produces<PictureFile>(200, Png, Jpeg, WebP).ProducesValidationProblem().ProducesProblem(503);
        pictures.MapPost("/explore", ExploreAsync).WithSummary("What is active in a recipe's picture")
            .WithDescription("For every site and cell the features that are active, and how strongly; no picture is made.")
            .Accepts<Recipe>(Json).Produces<Exploration>().ProducesValidationProblem().ProducesProblem(503);
        var recipes = api.MapGroup("/recipes").WithTags("Recipes");
        recipes.MapPost("", SaveAsync).WithSummary("Keeps a recipe under a short address").Accepts<Recipe>(Json).Produces<SavedRecipe>(201).ProducesValidationProblem();
        recipes.MapGet("/{id}", FindAsync).WithSummary("A recipe that was kept").Produces<Recipe>().ProducesProblem(404);
        FeatureApi.Map(api);
    }

    private static async Task<IResult> GenerateAsync(HttpContext context, JobClient jobs, CancellationToken cancellation)
    {
        var recipe = await ReadAsync(context, cancellation);
        var format = Wanted(context.Request);
        var result = await jobs.RunAsync(new GenerationJob(Guid.NewGuid(), recipe) { Picture = format }, ClientKey.Of(context), cancellation);
        context.Response.Headers["Server-Timing"] = string.Join(", ", result.Timings.Select(stage => FormattableString.Invariant($"{stage.Stage};dur={stage.Duration.TotalMilliseconds:0.0}")));
        context.Response.Headers.Vary = HeaderNames.Accept;
        return TypedResults.Bytes(result.Picture.ToArray(), format switch { PictureFormat.Jpeg => Jpeg, PictureFormat.WebP => WebP, _ => Png });
    }

    private static async Task<IResult> ExploreAsync(HttpContext context, JobClient jobs, IModelCatalogue catalogue, CancellationToken cancellation)
    {
        var recipe = await ReadAsync(context, cancellation);
        var sites = catalogue.Find(recipe.Model)?.Sites.Select(sae => sae.Site) ?? [];
        var result = await jobs.RunAsync(new GenerationJob(Guid.NewGuid(), recipe) { Picture = null, Sites = [.. sites] }, ClientKey.Of(context), cancellation);
        return TypedResults.Ok(new Exploration([.. result.Maps.All.Select(SiteReading.Of)]));
    }

    private static async Task<IResult> SaveAsync(HttpContext context, IShareStore shares, ClientLimits limits, CancellationToken cancellation)
    {
        var recipe = await ReadAsync(context, cancellation);
        limits.Admit(ClientKey.Of(context), recipe);
        var id = await shares.SaveAsync(recipe, cancellation);
        return TypedResults.Created($"/s/{id}", new SavedRecipe(id, $"/s/{id}"));
    }

    private static async Task<IResult> FindAsync(string id, HttpContext context, IShareStore shares, ClientLimits limits, CancellationToken cancellation)
    {
        limits.AdmitReading(ClientKey.Of(context));
        return await shares.FindAsync(id, cancellation) is { } recipe
            ? TypedResults.Content(recipe.ToJson(), Json)
            : TypedResults.Problem("No recipe is kept under this id.", statusCode: StatusCodes.Status404NotFound);
    }

    private static async Task<Recipe> ReadAsync(HttpContext context, CancellationToken cancellation)
    {
        var services = context.RequestServices;
        using var reader = new StreamReader(new LimitedStream(context.Request.Body, MostBytes));
        var json = await reader.ReadToEndAsync(cancellation);
        var model = services.GetRequiredService<IModelCatalogue>().Models.FirstOrDefault()
            ?? throw new JobFailedException(WhyNoModel(services.GetRequiredService<IServingState>()));
        return Recipe.FromJson(json, model.NewRecipe());
    }

    private static string WhyNoModel(IServingState serving) => serving.Failure ?? serving.Missing ?? "The model is still loading; try again in a moment.";

    // The type that is wanted most; of types wanted alike the first, which for "*/*" is the one that holds the recipe.
    private static PictureFormat Wanted(HttpRequest request)
    {
        var accepted = request.GetTypedHeaders().Accept;
        (string Type, PictureFormat Format)[] all = [(Png, PictureFormat.Png), (Jpeg, PictureFormat.Jpeg), (WebP, PictureFormat.WebP)];
        return all.MaxBy(one => Quality(one.Type)).Format;

        double Quality(string type) => accepted.Where(one => one.MatchesMediaType(type)).Select(one => one.Quality ?? 1).DefaultIfEmpty(0).Max();
    }
}
