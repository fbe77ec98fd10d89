using System.ComponentModel;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Api;

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
