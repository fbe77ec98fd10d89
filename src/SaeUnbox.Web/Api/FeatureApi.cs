using System.ComponentModel;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Api;

/// <summary>The addresses of models and their features, under /api/v1/models.</summary>
internal static class FeatureApi
{
    private const string Default = "default"; // the first model
    private const string ExamplesClient = "examples";
    private const int ExampleSide = 120, ExampleQuality = 75;
    private const string ModelHelp = "The model's name, or 'default'", SiteHelp = "Such as down.2.1";

    public static void MapFeatureApi(this RouteGroupBuilder api)
    {
        var models = api.MapGroup("/models").WithTags("Models and features").AddEndpointFilter(async (context, next) =>
        {
            context.HttpContext.RequestServices.GetRequiredService<ClientLimits>().AdmitReading(ClientKey.Of(context.HttpContext));
            return await next(context);
        });
        models.MapGet("", (IModelCatalogue catalogue) => catalogue.Models).WithSummary("List the models, the default first");
        models.MapGet("/{model}/features", Search).WithSummary("Search features by words, number and site")
            .Produces<FeatureHits>().ProducesValidationProblem().ProducesProblem(404);
        models.MapGet("/{model}/features/{site}/{feature:int}", Find)
            .WithSummary("Get a feature with its strongest pictures and similar features").Produces<FeatureDetails>().ProducesProblem(404);
        models.MapGet("/{model}/concepts", Concepts).WithSummary("List the named concepts and their features")
            .Produces<IReadOnlyList<Concept>>().ProducesProblem(404);
        models.MapGet("/{model}/map/{site}", Map).WithSummary("Get a map that places similar features near each other")
            .Produces<IReadOnlyList<FeaturePlace>>().ProducesProblem(404);
        models.MapGet("/{model}/examples", Examples).WithSummary("List recipes that work well").Produces<IReadOnlyList<Suggestion>>()
            .ProducesProblem(404);
        models.MapGet("/{model}/examples/{number:int}.jpg", ExamplePictureAsync)
            .WithSummary("Get a small picture of an example").Produces<PictureFile>(200, "image/jpeg").ProducesProblem(404);
        models.MapGet("/{model}/pictures/{**name}", Picture)
            .WithSummary("Get a picture of the atlas").Produces<PictureFile>(200, "image/jpeg", "image/png").ProducesProblem(404);
    }

    private static IResult Search(
        IModelCatalogue catalogue,
        [Description(ModelHelp)] string model,
        [Description("Words of names and captions, or a feature's number")] string? text,
        [Description("Only this site, such as down.2.1")] string? site,
        [Description("relevance, number, frequency, mean or max")] string sort = "relevance",
        [Description("Whether to include features that were never seen active")] bool dead = false,
        [Description("Number of hits to skip")] int offset = 0,
        [Description("Maximum number of hits, 1 to 500")] int limit = 60)
    {
        var errors = new Dictionary<string, string[]>();
        Site? wanted = null;
        if (site is not null && !Site.TryParse(site, out wanted))
            errors["site"] = [$"'{site}' is not a site; use a code such as down.2.1"];
        if (!Enum.TryParse<FeatureSort>(sort, ignoreCase: true, out var order) || !Enum.IsDefined(order))
            errors["sort"] = [$"'{sort}' is not an order; use {string.Join(", ", Enum.GetNames<FeatureSort>()).ToLowerInvariant()}"];
        if (text?.Length > FeatureQuery.MaxTextLength)
            errors["text"] = [$"has {text.Length} characters; use at most {FeatureQuery.MaxTextLength}"];
        if (offset < 0)
            errors["offset"] = [$"is {offset}; use 0 or more"];
        if (limit is < 1 or > FeatureQuery.MaxLimit)
            errors["limit"] = [$"is {limit}; use 1 to {FeatureQuery.MaxLimit}"];
        if (errors.Count > 0)
        {
            var detail = string.Join("; ", errors.Select(error => $"{error.Key}: {error.Value[0]}"));
            return TypedResults.ValidationProblem(errors, detail, title: "The search is invalid.");
        }
        var query = new FeatureQuery { Text = text, Site = wanted, Sort = order, Dead = dead, Offset = offset, Limit = limit };
        return AtlasOf(catalogue, model) is { } atlas ? TypedResults.Ok(atlas.Search(query)) : NotFound($"There is no model '{model}'.");
    }

    private static IResult Find(
        IModelCatalogue catalogue, [Description(ModelHelp)] string model, [Description(SiteHelp)] string site, int feature) =>
        Site.TryParse(site, out var parsed) && AtlasOf(catalogue, model) is { } atlas && atlas.Find(parsed, feature) is { } card
            ? TypedResults.Ok(new FeatureDetails(card, atlas.TopPictures(parsed, feature), atlas.Similar(parsed, feature)))
            : NotFound($"The model '{model}' has no feature {feature} at '{site}'.");

    private static IResult Concepts(IModelCatalogue catalogue, [Description(ModelHelp)] string model) =>
        AtlasOf(catalogue, model) is { } atlas ? TypedResults.Ok(atlas.Concepts) : NotFound($"There is no model '{model}'.");

    private static IResult Map(IModelCatalogue catalogue, [Description(ModelHelp)] string model, [Description(SiteHelp)] string site) =>
        Site.TryParse(site, out var parsed) && AtlasOf(catalogue, model) is { } atlas && atlas.Sites.Contains(parsed)
            ? TypedResults.Ok(atlas.Map(parsed))
            : NotFound($"The model '{model}' has no site '{site}'.");

    private static IResult Examples(IModelCatalogue catalogue, [Description(ModelHelp)] string model) =>
        AtlasOf(catalogue, model) is { } atlas ? TypedResults.Ok(atlas.Suggestions) : NotFound($"There is no model '{model}'.");

    private static async Task<IResult> ExamplePictureAsync(
        IModelCatalogue catalogue, MadePictures pictures, [Description(ModelHelp)] string model,
        [Description("The example's place in the list, from 0")] int number, HttpResponse response)
    {
        if (AtlasOf(catalogue, model)?.Suggestions is not { } examples || number < 0 || number >= examples.Count)
            return NotFound($"The model '{model}' has no example {number}.");
        var picture = Core.Picture.Decode(await pictures.FindAsync(examples[number].Recipe, ExamplesClient));
        var scale = (double)ExampleSide / Math.Max(picture.Width, picture.Height);
        var small = PictureScaling.Resize(picture, Math.Max(1, (int)(picture.Width * scale)), Math.Max(1, (int)(picture.Height * scale)));
        response.Headers.CacheControl = "public, max-age=86400";
        return TypedResults.Bytes(Jpeg.Encode(small, ExampleQuality), "image/jpeg");
    }

    private static IResult Picture(
        IModelCatalogue catalogue, [Description(ModelHelp)] string model, [Description("The name that a feature gives")] string name,
        HttpResponse response)
    {
        if (AtlasOf(catalogue, model)?.Picture(name) is not { } picture)
            return NotFound($"The model '{model}' has no picture '{name}'.");
        response.Headers.CacheControl = "public, max-age=86400";
        return TypedResults.Bytes(picture.Bytes.ToArray(), picture.MediaType);
    }

    private static IFeatureAtlas? AtlasOf(IModelCatalogue catalogue, string model) =>
        catalogue.AtlasOf(model == Default && catalogue.Models.Count > 0 ? catalogue.Models[0].Name : model);

    private static IResult NotFound(string message) => TypedResults.Problem(message, statusCode: StatusCodes.Status404NotFound);
}

/// <param name="Card">The feature.</param>
/// <param name="TopPictures">Pictures in which the feature is strong, the strongest first.</param>
/// <param name="Similar">Features with similar directions, the most similar first.</param>
public sealed record FeatureDetails(FeatureCard Card, IReadOnlyList<TopPicture> TopPictures, IReadOnlyList<SimilarFeature> Similar);
