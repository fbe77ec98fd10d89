using Microsoft.AspNetCore.Http.HttpResults;
using SaeUnbox.Contracts;

namespace SaeUnbox.Web.Api;

/// <summary>Models and their features.</summary>
internal static class FeatureApi
{
    public static void Map(RouteGroupBuilder api)
    {
        api.MapGet("/models", (IModelCatalogue catalogue) => catalogue.Models).WithSummary("The models that are served, the default first.");
        var features = api.MapGroup("/models/{model}");
        features.MapGet("/features", Results<Ok<FeatureHits>, ProblemHttpResult> (string model, IModelCatalogue catalogue, string? text, string? site, string sort = "relevance", bool dead = false, int offset = 0, int limit = 60) =>
        {
            if (AtlasOf(catalogue, model) is not { } atlas)
                return NoModel(model);
            HookSite? wanted = null;
            if (site is not null && !HookSite.TryParse(site, out wanted))
                return TypedResults.Problem($"'{site}' is no site such as down.2.1.", statusCode: 400);
            if (!Enum.TryParse<FeatureSort>(sort, ignoreCase: true, out var order) || !Enum.IsDefined(order))
                return TypedResults.Problem($"'{sort}' is no order; use {string.Join(", ", Enum.GetNames<FeatureSort>()).ToLowerInvariant()}.", statusCode: 400);
            if (text?.Length > FeatureQuery.MaxTextLength || offset < 0 || limit is < 1 or > FeatureQuery.MaxLimit)
                return TypedResults.Problem($"Use a text of at most {FeatureQuery.MaxTextLength} characters, an offset from 0 and a limit from 1 to {FeatureQuery.MaxLimit}.", statusCode: 400);
            return TypedResults.Ok(atlas.Search(new FeatureQuery { Text = text, Site = wanted, Sort = order, Dead = dead, Offset = offset, Limit = limit }));
        }).WithSummary("Features by words, number and site.");
        features.MapGet("/features/{site}/{feature:int}", Results<Ok<FeatureDetails>, ProblemHttpResult> (string model, string site, int feature, IModelCatalogue catalogue) =>
            AtlasOf(catalogue, model) is not { } atlas ? NoModel(model)
            : HookSite.TryParse(site, out var parsed) && atlas.Find(parsed, feature) is { } card
                ? TypedResults.Ok(new FeatureDetails(card, atlas.TopPictures(parsed, feature), atlas.Similar(parsed, feature)))
                : TypedResults.Problem($"The model {model} has no feature {feature} at {site}.", statusCode: 404)).WithSummary("One feature, with its pictures and neighbours.");
        features.MapGet("/map/{site}", Results<Ok<IReadOnlyList<FeaturePlace>>, ProblemHttpResult> (string model, string site, IModelCatalogue catalogue) =>
            AtlasOf(catalogue, model) is { } atlas && HookSite.TryParse(site, out var parsed) ? TypedResults.Ok(atlas.Map(parsed)) : NoModel(model)).WithSummary("A plane on which like features lie near each other.");
        features.MapGet("/pictures/{**name}", Results<FileContentHttpResult, ProblemHttpResult> (string model, string name, IModelCatalogue catalogue, HttpResponse response) =>
        {
            if (AtlasOf(catalogue, model)?.Picture(name) is not { } picture)
                return TypedResults.Problem("There is no such picture.", statusCode: 404);
            response.Headers.CacheControl = "public, max-age=86400";
            return TypedResults.Bytes(picture.Bytes.ToArray(), picture.MediaType);
        }).WithSummary("A picture of the atlas.");
    }

    // "default" stands for the first, so that pages need not wait for its name.
    private static IFeatureAtlas? AtlasOf(IModelCatalogue catalogue, string model) =>
        catalogue.AtlasOf(model == "default" && catalogue.Models.Count > 0 ? catalogue.Models[0].Name : model);

    private static ProblemHttpResult NoModel(string model) => TypedResults.Problem($"There is no model '{model}', or it has no such site.", statusCode: 404);
}

public sealed record FeatureDetails(FeatureCard Card, IReadOnlyList<TopPicture> TopPictures, IReadOnlyList<SimilarFeature> Similar);
