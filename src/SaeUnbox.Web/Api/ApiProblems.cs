using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Sharing;

namespace SaeUnbox.Web.Api;

/// <summary>Turns what can go wrong into problem+json that names the fields.</summary>
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
            return TypedResults.ValidationProblem(exception.Errors.GroupBy(error => error.Field).ToDictionary(group => group.Key, group => group.Select(error => error.Message).ToArray()),
                detail: exception.Message, title: "The recipe cannot be used.");
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
            return TypedResults.Problem(exception.Message, statusCode: StatusCodes.Status503ServiceUnavailable, title: "Short links cannot be kept or found.");
        }
        catch (JobFailedException exception)
        {
            return TypedResults.Problem(exception.Message, statusCode: StatusCodes.Status503ServiceUnavailable, title: "The picture could not be made.");
        }
    }

    private static IResult TooMany(HttpContext context, string message, TimeSpan retryAfter)
    {
        context.Response.Headers.RetryAfter = Math.Ceiling(Math.Max(1, retryAfter.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        return TypedResults.Problem(message, statusCode: StatusCodes.Status429TooManyRequests, title: "Too many requests.");
    }
}
