using System.Globalization;
using System.IO.Compression;
using Microsoft.AspNetCore.Components.Endpoints;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.AspNetCore.Routing.Template;
using Microsoft.Extensions.Options;
using SaeUnbox.Web.Canvases;

namespace SaeUnbox.Web.Hosting;

/// <summary>Middleware for all responses: proxies, errors, security headers, compression, antiforgery.</summary>
internal static class WebDefaults
{
    // Allows scripts only from files. Inline style attributes are allowed: our pages use them for sizes, positions and progress.
    private const string ContentPolicy = "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
        + "img-src 'self' data: blob:; connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; "
        + "frame-ancestors 'none'";

    private const int MaxBodyBytes = 8 << 20;

    // Browsers obey a policy only in what they open as a document, so these need none. They are most of a first view's answers.
    private static readonly string[] PartsOfPages = ["image/jpeg", "image/png", "image/webp", "text/javascript", "text/css"];

    // A build keeps static files in the source folders and lists them in this file; a published program has them in wwwroot.
    private static bool IsBuild => File.Exists(Path.Combine(AppContext.BaseDirectory, "SaeUnbox.Web.staticwebassets.runtime.json"));

    public static void AddWebDefaults(this WebApplicationBuilder builder)
    {
        if (IsBuild)
            builder.WebHost.UseStaticWebAssets();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
            // Idle ones, too; sockets count on their own. A value that cannot be used is named when the options are checked.
            var connections = builder.Configuration[$"{CanvasOptions.Section}:{nameof(CanvasOptions.Connections)}"];
            kestrel.Limits.MaxConcurrentConnections =
                int.TryParse(connections, CultureInfo.InvariantCulture, out var most) && most > 0 ? most : new CanvasOptions().Connections;
        });
        var services = builder.Services;
        services.AddAnnotatedOptions<HostingOptions>(builder.Configuration, HostingOptions.Section);
        services.AddSingleton<Readiness>();
        services.AddHostedService(provider => provider.GetRequiredService<Readiness>());
        services.AddProblems();
        services.AddAntiforgery(options =>
        {
            options.Cookie.SecurePolicy = CookieSecurePolicy.SameAsRequest;
            options.SuppressXFrameOptionsHeader = true; // ours is stricter
        });
        services.AddResponseCompression(options => options.EnableForHttps = true);
        services.Configure<BrotliCompressionProviderOptions>(options => options.Level = CompressionLevel.Optimal);
        services.AddHsts(options => options.MaxAge = TimeSpan.FromDays(180));
        services.AddOptions<ForwardedHeadersOptions>().Configure<IOptions<HostingOptions>>((headers, hosting) =>
        {
            headers.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost
                | ForwardedHeaders.XForwardedPrefix;
            // The first address from the end that is no proxy of ours is the visitor's, however many proxies stand in a row.
            headers.ForwardLimit = null;
            foreach (var proxy in hosting.Value.TrustedProxies)
                headers.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(proxy));
        });
    }

    public static void UseWebDefaults(this WebApplication app)
    {
        app.UseSilentProxyWarning();
        app.UseForwardedHeaders();
        app.UsePathPrefix();
        app.UseOwnHost();
        app.UseHeadAsGet();
        if (IsBuild)
            app.UseWholeFiles();
        app.UseSecurityHeaders();
        app.UseProblems();
        app.UseRouting();
        app.UseMethodNotAllowed();
        if (!app.Environment.IsDevelopment())
            app.UseHsts();
        app.UseResponseCompression();
        app.UseAntiforgery();
    }

    // From source folders the framework sends a whole file as a part of it.
    private static void UseWholeFiles(this WebApplication app) => app.Use((context, next) =>
    {
        context.Request.Headers.Range = default;
        return next(context);
    });

    private static void UseSecurityHeaders(this WebApplication app) => app.Use((context, next) =>
    {
        // Set when the response starts, because the error handler clears earlier headers.
        context.Response.OnStarting(() =>
        {
            var headers = context.Response.Headers;
            headers.XContentTypeOptions = "nosniff";
            if (context.Response.ContentType is { } type && PartsOfPages.Any(part => type.StartsWith(part, StringComparison.Ordinal)))
                return Task.CompletedTask;
            headers.ContentSecurityPolicy = ContentPolicy;
            headers.XFrameOptions = "DENY";
            headers["Referrer-Policy"] = "same-origin";
            headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            return Task.CompletedTask;
        });
        return next(context);
    });
}

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
