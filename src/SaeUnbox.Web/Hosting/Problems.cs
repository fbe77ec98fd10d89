using Microsoft.AspNetCore.Diagnostics;

namespace SaeUnbox.Web.Hosting;

/// <summary>What is answered where something failed: a page to people, problem+json to programs.</summary>
internal static class Problems
{
    private static readonly string[] Programs = ["/api/", "/openapi/", "/hubs/"];

    public static void AddProblems(this IServiceCollection services)
    {
        // A parameter that cannot be read is named by the exception, so it is thrown in every environment.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            if (context.Exception is BadHttpRequestException refused)
                context.ProblemDetails.Detail = refused.Message;
            else if (context.ProblemDetails is { Status: StatusCodes.Status404NotFound, Detail: null })
                context.ProblemDetails.Detail = "There is nothing at this address; /api tells what there is.";
        });
    }

    public static void UseProblems(this WebApplication app)
    {
        app.UseExceptionHandler("/error", createScopeForErrors: true);
        app.UseStatusCodePagesWithReExecute("/not-found");
        // Within, so that the pages get to see only what has no answer yet.
        app.UseWhen(IsForProgram, api =>
        {
            api.UseExceptionHandler(new ExceptionHandlerOptions
            {
                StatusCodeSelector = exception => exception is BadHttpRequestException refused ? refused.StatusCode : StatusCodes.Status500InternalServerError,
                SuppressDiagnosticsCallback = context => context.Exception is BadHttpRequestException,
            });
            api.UseStatusCodePages();
        });
    }

    private static bool IsForProgram(HttpContext context) => Array.Exists(Programs, start => context.Request.Path.Value?.StartsWith(start, StringComparison.Ordinal) == true);
}
