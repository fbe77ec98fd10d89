using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;
using SaeUnbox.Contracts;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Api;

/// <summary>/api/v1: what the pages can do, for programs. /openapi/v1.json describes it.</summary>
internal static class PublicApi
{
    private const int MostPictureBytes = 4 << 20;

    public static void AddPublicApi(this IServiceCollection services)
    {
        services.AddSingleton<JobClient>();
        services.AddOpenApi("v1", options => options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "SaeUnbox";
            document.Info.Description = "Make pictures from recipes, see which features are active in them, look features up. A recipe is described in docs/recipe.md.";
            return Task.CompletedTask;
        }));
    }

    public static void MapPublicApi(this WebApplication app)
    {
        app.MapOpenApi("/openapi/{documentName}.json");
        var api = app.MapGroup("/api/v1").AddEndpointFilter(ApiProblems.Filter).DisableAntiforgery();
        api.MapPost("/generate", GenerateAsync).WithSummary("The picture of a recipe, as PNG (with the recipe inside) or JPEG, by Accept.")
            .Accepts<Recipe>("application/json").Produces(200, contentType: "image/png").Produces(200, contentType: "image/jpeg").ProducesValidationProblem().ProducesProblem(429);
        api.MapPost("/explore", ExploreAsync).WithSummary("The active features of every cell of every site of a recipe's picture.")
            .Accepts<Recipe>("application/json").Produces<Exploration>().ProducesValidationProblem().ProducesProblem(429);
        api.MapPost("/recipes", SaveAsync).WithSummary("Keeps a recipe under a short address.").Accepts<Recipe>("application/json").Produces<SavedRecipe>(201).ProducesValidationProblem();
        api.MapGet("/recipes/{id}", FindAsync).WithSummary("A recipe that was kept.").Produces<Recipe>().ProducesProblem(404);
        FeatureApi.Map(api);
    }

    private static async Task<IResult> GenerateAsync(HttpContext context, JobClient jobs, IModelCatalogue catalogue, IOptions<CanvasOptions> options, CancellationToken cancellation)
    {
        var recipe = await ReadAsync(context, catalogue, options.Value, cancellation);
        var format = Wanted(context.Request);
        var result = await jobs.RunAsync(new GenerationJob(Guid.NewGuid(), recipe) { Picture = format }, context, cancellation);
        context.Response.Headers["Server-Timing"] = string.Join(", ", result.Timings.Select(stage => FormattableString.Invariant($"{stage.Stage};dur={stage.Duration.TotalMilliseconds:0.0}")));
        return TypedResults.Bytes(result.Picture.ToArray(), format == PictureFormat.Jpeg ? "image/jpeg" : "image/png");
    }

    private static async Task<IResult> ExploreAsync(HttpContext context, JobClient jobs, IModelCatalogue catalogue, IOptions<CanvasOptions> options, CancellationToken cancellation)
    {
        var recipe = await ReadAsync(context, catalogue, options.Value, cancellation);
        var sites = catalogue.Find(recipe.Model)?.Sites.Select(sae => sae.Site) ?? [];
        var result = await jobs.RunAsync(new GenerationJob(Guid.NewGuid(), recipe) { Picture = null, Sites = [.. sites] }, context, cancellation);
        return TypedResults.Ok(new Exploration([.. result.Maps.All.Select(SiteReading.Of)]));
    }

    private static async Task<IResult> SaveAsync(HttpContext context, IShareStore shares, ClientLimits limits, IModelCatalogue catalogue, IOptions<CanvasOptions> options, CancellationToken cancellation)
    {
        limits.Take(ClientKey.Of(context), 1);
        var id = await shares.SaveAsync(await ReadAsync(context, catalogue, options.Value, cancellation), cancellation);
        return TypedResults.Created($"/s/{id}", new SavedRecipe(id, $"/s/{id}"));
    }

    private static async Task<IResult> FindAsync(string id, IShareStore shares, CancellationToken cancellation) => await shares.FindAsync(id, cancellation) is { } recipe
        ? TypedResults.Content(recipe.ToJson(), "application/json")
        : TypedResults.Problem($"No recipe is kept under this id.", statusCode: StatusCodes.Status404NotFound);

    private static async Task<Recipe> ReadAsync(HttpContext context, IModelCatalogue catalogue, CanvasOptions options, CancellationToken cancellation)
    {
        using var reader = new StreamReader(new LimitedStream(context.Request.Body, MostPictureBytes));
        var json = await reader.ReadToEndAsync(cancellation);
        var model = catalogue.Models.FirstOrDefault() ?? throw new JobFailedException(context.RequestServices.GetRequiredService<IServingState>().Failure ?? "The model is still loading; try again in a moment.");
        var recipe = Recipe.FromJson(json, model.NewRecipe());
        return recipe.Prompt.Length <= options.PromptLength ? recipe
            : throw new RecipeException("prompt", $"has {recipe.Prompt.Length} characters; at most {options.PromptLength} are taken here");
    }

    private static PictureFormat Wanted(HttpRequest request)
    {
        var accepted = request.GetTypedHeaders().Accept;
        double Quality(string type) => accepted.Where(one => one.MatchesMediaType(type)).Select(one => one.Quality ?? 1).DefaultIfEmpty(0).Max();
        return Quality("image/jpeg") > Quality("image/png") ? PictureFormat.Jpeg : PictureFormat.Png;
    }
}

/// <param name="Id">Its id.</param>
/// <param name="Address">Where it opens in the studio.</param>
public sealed record SavedRecipe(string Id, string Address);

/// <summary>What is active in a picture.</summary>
public sealed record Exploration(IReadOnlyList<SiteReading> Sites);

/// <param name="K">Features per cell.</param>
/// <param name="Indices">rows x columns x k feature numbers, cell by cell from the upper left.</param>
/// <param name="Values">Their activations; 0 where fewer were active.</param>
/// <param name="Top">The strongest over the grid.</param>
/// <param name="ExplainedVariance">Share of what the block added that the features explain.</param>
public sealed record SiteReading(HookSite Site, int Step, int Rows, int Columns, int K, int[] Indices, float[] Values, IReadOnlyList<ActiveFeature> Top, double? ExplainedVariance)
{
    private const int MostTop = 10;

    public static SiteReading Of(SiteActivations map) =>
        new(map.Site, map.Step, map.Rows, map.Columns, map.K, map.Indices.ToArray(), map.Values.ToArray(), map.Top(MostTop), map.ExplainedVariance);
}
