using System.Globalization;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Api;

/// <summary>Turns exceptions into problem+json responses.</summary>
internal static class ApiProblems
{
    public static async ValueTask<object?> Filter(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        try
        {
            return await next(context);
        }
        catch (RecipeException exception)
        {
            var errors = exception.Errors.GroupBy(error => error.Field)
                .ToDictionary(group => group.Key, group => group.Select(error => error.Message).ToArray());
            return TypedResults.ValidationProblem(errors, detail: exception.Message, title: "The recipe cannot be used.");
        }
        catch (QueueStoppingException exception)
        {
            return Unavailable(exception.Message, "The server is stopping.");
        }
        catch (QueueFullException exception)
        {
            return TooMany(context.HttpContext, exception.Message, exception.RetryAfter);
        }
        catch (TooManyRequestsException exception)
        {
            return TooMany(context.HttpContext, exception.Message, exception.RetryAfter);
        }
        catch (ShareStoreException exception)
        {
            return Unavailable(exception.Message, "Short links are not available.");
        }
        catch (JobFailedException exception)
        {
            return Unavailable(exception.Message, "The picture could not be made.");
        }
    }

    private static IResult Unavailable(string message, string title) =>
        TypedResults.Problem(message, statusCode: StatusCodes.Status503ServiceUnavailable, title: title);

    private static IResult TooMany(HttpContext context, string message, TimeSpan retryAfter)
    {
        context.Response.Headers.RetryAfter = Math.Ceiling(Math.Max(1, retryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return TypedResults.Problem(message, statusCode: StatusCodes.Status429TooManyRequests, title: "Too many requests.");
    }
}
