using Microsoft.AspNetCore.Diagnostics;

namespace SaeUnbox.Web.Hosting;

/// <summary>Error responses: a page for people, problem+json for programs.</summary>
internal static class Problems
{
    private static readonly string[] ProgramPaths = ["/api/", "/openapi/", "/hubs/"];

    public static void AddProblems(this IServiceCollection services)
    {
        // The exception names the parameter that cannot be read, so throw it in production too.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            if (context.Exception is BadHttpRequestException refused)
                context.ProblemDetails.Detail = refused.Message;
            else if (context.ProblemDetails is { Status: StatusCodes.Status404NotFound, Detail: null })
                context.ProblemDetails.Detail = "There is nothing at this address; /api lists what the API offers.";
            else if (context.ProblemDetails is { Status: StatusCodes.Status405MethodNotAllowed, Detail: null })
                context.ProblemDetails.Detail = $"This address takes {context.HttpContext.Response.Headers.Allow}; "
                    + $"{context.HttpContext.Request.Method} was sent.";
            else if (context.ProblemDetails is { Status: StatusCodes.Status415UnsupportedMediaType, Detail: null })
                context.ProblemDetails.Detail = "Send the recipe as JSON, with the header Content-Type: application/json"
                    + (context.HttpContext.Request.ContentType is { Length: > 0 } ? "; this request has another type." : ".");
        });
    }

    public static void UseProblems(this WebApplication app)
    {
        app.UseExceptionHandler("/error", createScopeForErrors: true);
        app.UseStatusCodePagesWithReExecute("/not-found");
        // Pages are made for GET alone, whatever was asked for.
        app.Use((context, next) =>
        {
            if (context.Features.Get<IStatusCodeReExecuteFeature>() is not null)
                context.Request.Method = HttpMethods.Get;
            return next(context);
        });
        // Registered inside the handlers above, which then see only responses without a body.
        app.UseWhen(IsForProgram, api =>
        {
            api.UseExceptionHandler(new ExceptionHandlerOptions
            {
                StatusCodeSelector = exception =>
                    exception is BadHttpRequestException refused ? refused.StatusCode : StatusCodes.Status500InternalServerError,
                SuppressDiagnosticsCallback = context => context.Exception is BadHttpRequestException,
            });
            api.UseStatusCodePages();
        });
    }

    private static bool IsForProgram(HttpContext context) =>
        Array.Exists(ProgramPaths, start => context.Request.Path.Value?.StartsWith(start, StringComparison.Ordinal) == true);
}
