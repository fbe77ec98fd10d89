using System.ComponentModel;
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
        var result = await jobs.RunAsync(new GenerationJob(Guid.NewGuid(), recipe.Check()) { Picture = format }, ClientKey.Of(context), cancellation);
        context.Response.Headers["Server-Timing"] = string.Join(", ", result.Timings.Select(stage => FormattableString.Invariant($"{stage.Stage};dur={stage.Duration.TotalMilliseconds:0.0}")));
        context.Response.Headers.Vary = HeaderNames.Accept;
        return TypedResults.Bytes(result.Picture.ToArray(), format switch { PictureFormat.Jpeg => Jpeg, PictureFormat.WebP => WebP, _ => Png });
    }

    private static async Task<IResult> ExploreAsync(HttpContext context, JobClient jobs, IModelCatalogue catalogue, CancellationToken cancellation)
    {
        var recipe = await ReadAsync(context, cancellation);
        var sites = catalogue.Find(recipe.Model)?.Sites.Select(sae => sae.Site) ?? [];
        var result = await jobs.RunAsync(new GenerationJob(Guid.NewGuid(), recipe.Check()) { Picture = null, Sites = [.. sites] }, ClientKey.Of(context), cancellation);
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

/// <summary>Models and their features.</summary>
internal static class FeatureApi
{
    /// <summary>Stands for the first model, so that pages need not wait for its name.</summary>
    private const string Default = "default";

    public static void Map(RouteGroupBuilder api)
    {
        var models = api.MapGroup("/models").WithTags("Models and features").AddEndpointFilter(async (context, next) =>
        {
            context.HttpContext.RequestServices.GetRequiredService<ClientLimits>().AdmitReading(ClientKey.Of(context.HttpContext));
            return await next(context);
        });
        models.MapGet("", (IModelCatalogue catalogue) => catalogue.Models).WithSummary("The models that are served, the default first");
        models.MapGet("/{model}/features", Search).WithSummary("Features by words, number and site").Produces<FeatureHits>().ProducesValidationProblem().ProducesProblem(404);
        models.MapGet("/{model}/features/{site}/{feature:int}", Find).WithSummary("One feature, with its strongest pictures and its neighbours").Produces<FeatureDetails>().ProducesProblem(404);
        models.MapGet("/{model}/map/{site}", Plane).WithSummary("A plane on which like features lie near each other").Produces<IReadOnlyList<FeaturePlace>>().ProducesProblem(404);
        models.MapGet("/{model}/pictures/{**name}", Picture).WithSummary("A picture of the atlas").Produces<PictureFile>(200, "image/jpeg", "image/png").ProducesProblem(404);
    }

    private static IResult Search(IModelCatalogue catalogue, [Description("Its name, or 'default'")] string model,
        [Description("Words of names and captions, or a feature's number")] string? text, [Description("Only this site, such as down.2.1")] string? site,
        [Description("relevance, number, frequency, mean or max")] string sort = "relevance", [Description("Also features that were never seen active")] bool dead = false,
        [Description("Hits to leave out at the start")] int offset = 0, [Description("Most hits, 1 to 500")] int limit = 60)
    {
        var errors = new Dictionary<string, string[]>();
        HookSite? wanted = null;
        if (site is not null && !HookSite.TryParse(site, out wanted))
            errors["site"] = [$"'{site}' is no site such as down.2.1"];
        if (!Enum.TryParse<FeatureSort>(sort, ignoreCase: true, out var order) || !Enum.IsDefined(order))
            errors["sort"] = [$"'{sort}' is no order; use {string.Join(", ", Enum.GetNames<FeatureSort>()).ToLowerInvariant()}"];
        if (text?.Length > FeatureQuery.MaxTextLength)
            errors["text"] = [$"has {text.Length} characters; use at most {FeatureQuery.MaxTextLength}"];
        if (offset < 0)
            errors["offset"] = [$"is {offset}; use 0 or more"];
        if (limit is < 1 or > FeatureQuery.MaxLimit)
            errors["limit"] = [$"is {limit}; use 1 to {FeatureQuery.MaxLimit}"];
        if (errors.Count > 0)
            return TypedResults.ValidationProblem(errors, detail: string.Join("; ", errors.Select(error => $"{error.Key}: {error.Value[0]}")), title: "The search cannot be done.");
        return AtlasOf(catalogue, model) is { } atlas
            ? TypedResults.Ok(atlas.Search(new FeatureQuery { Text = text, Site = wanted, Sort = order, Dead = dead, Offset = offset, Limit = limit }))
            : NotFound($"There is no model '{model}' here.");
    }

    private static IResult Find(IModelCatalogue catalogue, [Description("Its name, or 'default'")] string model, [Description("Such as down.2.1")] string site, int feature) =>
        HookSite.TryParse(site, out var parsed) && AtlasOf(catalogue, model) is { } atlas && atlas.Find(parsed, feature) is { } card
            ? TypedResults.Ok(new FeatureDetails(card, atlas.TopPictures(parsed, feature), atlas.Similar(parsed, feature)))
            : NotFound($"There is no feature {feature} at '{site}' of a model '{model}' here.");

    private static IResult Plane(IModelCatalogue catalogue, [Description("Its name, or 'default'")] string model, [Description("Such as down.2.1")] string site) =>
        HookSite.TryParse(site, out var parsed) && AtlasOf(catalogue, model) is { } atlas && atlas.Sites.Contains(parsed)
            ? TypedResults.Ok(atlas.Map(parsed))
            : NotFound($"There is no site '{site}' of a model '{model}' here.");

    private static IResult Picture(IModelCatalogue catalogue, [Description("Its name, or 'default'")] string model, [Description("As features name it")] string name, HttpResponse response)
    {
        if (AtlasOf(catalogue, model)?.Picture(name) is not { } picture)
            return NotFound("There is no such picture.");
        response.Headers.CacheControl = "public, max-age=86400";
        return TypedResults.Bytes(picture.Bytes.ToArray(), picture.MediaType);
    }

    private static IFeatureAtlas? AtlasOf(IModelCatalogue catalogue, string model) =>
        catalogue.AtlasOf(model == Default && catalogue.Models.Count > 0 ? catalogue.Models[0].Name : model);

    private static IResult NotFound(string message) => TypedResults.Problem(message, statusCode: StatusCodes.Status404NotFound);
}

/// <summary>Runs one job and waits for it; a caller that goes away cancels it.</summary>
internal sealed class JobClient(IGenerationQueue queue, ClientLimits limits)
{
    /// <param name="job">What to run.</param>
    /// <param name="client">Whom limits count for.</param>
    /// <param name="cancellation">The caller is gone.</param>
    /// <param name="follow">Hears how far it is.</param>
    /// <exception cref="RecipeException">The recipe is not valid, or does not fit its model.</exception>
    /// <exception cref="QueueFullException">There is no room for it now.</exception>
    /// <exception cref="TooManyRequestsException">The client asks for too much.</exception>
    /// <exception cref="JobFailedException">It could not be made.</exception>
    public async Task<GenerationResult> RunAsync(GenerationJob job, string client, CancellationToken cancellation, Action<GenerationProgress>? follow = null)
    {
        limits.Admit(client, job.Recipe);
        job = job with { Client = client };
        await queue.SubmitAsync(job, cancellation);
        try
        {
            await foreach (var progress in queue.WatchAsync(job.Id, cancellation))
                switch (progress)
                {
                    case GenerationProgress.Completed done: return done.Result;
                    case GenerationProgress.Failed failed: throw new JobFailedException(failed.Message);
                    case { IsFinal: true }: throw new JobFailedException("The job was cancelled.");
                    default: follow?.Invoke(progress); break;
                }
        }
        catch (OperationCanceledException)
        {
            await queue.CancelAsync(job.Id, CancellationToken.None);
            throw;
        }
        throw new JobFailedException("The job ended without a word.");
    }
}

internal sealed class JobFailedException(string message) : Exception(message);
