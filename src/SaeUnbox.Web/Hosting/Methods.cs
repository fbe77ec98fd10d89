using Microsoft.AspNetCore.Components.Endpoints;
using Microsoft.AspNetCore.Routing.Template;

namespace SaeUnbox.Web.Hosting;

/// <summary>HEAD wherever there is GET, and 405 with the methods that an address takes.</summary>
internal static class Methods
{
    // The order of the endpoint that looks for static files wherever nothing else matches.
    private const int Fallback = int.MaxValue;

    /// <summary>Answers HEAD as GET without the body. Must come before routing.</summary>
    public static void UseHeadAsGet(this WebApplication app) => app.Use((context, next) =>
    {
        if (!HttpMethods.IsHead(context.Request.Method))
            return next(context);
        context.Request.Method = HttpMethods.Get;
        // The server leaves out the body if the method is HEAD when the answer starts.
        context.Response.OnStarting(() =>
        {
            context.Request.Method = HttpMethods.Head;
            return Task.CompletedTask;
        });
        return next(context);
    });

    /// <summary>Refuses a method that an address does not take. Must come behind routing.</summary>
    public static void UseMethodNotAllowed(this WebApplication app)
    {
        var endpoints = app.Services.GetRequiredService<EndpointDataSource>();
        app.Use(async (context, next) =>
        {
            var allowed = Allowed(context, endpoints);
            if (allowed is null or { Count: 0 } || allowed.Contains(context.Request.Method))
            {
                // Routing answers 405 for addresses that only a fallback takes.
                if (allowed is { Count: 0 } && context.GetEndpoint() is not RouteEndpoint)
                    context.SetEndpoint(null);
                await next(context);
                return;
            }
            context.Response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            context.Response.Headers.Allow = string.Join(", ", allowed);
            await context.RequestServices.GetRequiredService<IProblemDetailsService>().WriteAsync(new() { HttpContext = context });
        });
    }

    // Null if the request has found its endpoint, or the address takes every method.
    private static SortedSet<string>? Allowed(HttpContext context, EndpointDataSource endpoints)
    {
        var found = context.GetEndpoint();
        if (found is RouteEndpoint { Order: < Fallback }
            && (!IsPage(found) || HttpMethods.IsGet(context.Request.Method)))
            return null;
        var allowed = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var endpoint in endpoints.Endpoints.OfType<RouteEndpoint>())
        {
            if (endpoint.Order == Fallback
                || !new TemplateMatcher(new RouteTemplate(endpoint.RoutePattern), []).TryMatch(context.Request.Path, []))
                continue;
            if (endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods is not { Count: > 0 } methods)
                return null;
            allowed.UnionWith(IsPage(endpoint) ? [HttpMethods.Get] : methods);
        }
        if (allowed.Contains(HttpMethods.Get))
            allowed.Add(HttpMethods.Head);
        return allowed;
    }

    // Blazor maps its pages for POST too, for forms, which ours have none of.
    private static bool IsPage(Endpoint endpoint) => endpoint.Metadata.GetMetadata<ComponentTypeMetadata>() is not null;
}
