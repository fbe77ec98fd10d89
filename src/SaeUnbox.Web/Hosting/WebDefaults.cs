using System.IO.Compression;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.Options;

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

    public static void AddWebDefaults(this WebApplicationBuilder builder)
    {
        // A build keeps static files in the source folders and lists them in this file; a published program has them in wwwroot.
        if (File.Exists(Path.Combine(AppContext.BaseDirectory, "SaeUnbox.Web.staticwebassets.runtime.json")))
            builder.WebHost.UseStaticWebAssets();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
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
        app.UseSecurityHeaders();
        app.UseProblems();
        app.UseRouting();
        app.UseMethodNotAllowed();
        if (!app.Environment.IsDevelopment())
            app.UseHsts();
        app.UseResponseCompression();
        app.UseAntiforgery();
    }

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
