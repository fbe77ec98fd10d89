using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

/// <summary>What every answer of the site has in common: proxies, errors, security headers, compression, antiforgery.</summary>
internal static class WebDefaults
{
    // Scripts come from files alone. Style attributes carry numbers only (places of tiles, colours of cells), and are ours.
    private const string ContentPolicy = "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; "
        + "connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

    private const int LargestBody = 8 << 20;

    public static void AddWebDefaults(this WebApplicationBuilder builder)
    {
        // As built, pages' own files lie where they were made; a published program has them beside it.
        if (File.Exists(Path.Combine(AppContext.BaseDirectory, "SaeUnbox.Web.staticwebassets.runtime.json")))
            builder.WebHost.UseStaticWebAssets();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = LargestBody;
        });
        var services = builder.Services;
        services.AddAnnotatedOptions<HostingOptions>(builder.Configuration, HostingOptions.Section);
        services.AddSingleton<ReadinessFirst>();
        services.AddHostedService(provider => provider.GetRequiredService<ReadinessFirst>());
        services.AddProblems();
        services.AddAntiforgery();
        services.AddResponseCompression(options => options.EnableForHttps = true);
        services.AddHsts(options => options.MaxAge = TimeSpan.FromDays(180));
        services.AddOptions<ForwardedHeadersOptions>().Configure<IOptions<HostingOptions>>((headers, hosting) =>
        {
            headers.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost;
            foreach (var proxy in hosting.Value.TrustedProxies)
                headers.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(proxy));
        });
    }

    public static void UseWebDefaults(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.UseSecurityHeaders();
        app.UseProblems();
        if (!app.Environment.IsDevelopment())
            app.UseHsts();
        app.UseResponseCompression();
        app.UseAntiforgery();
    }

    private static void UseSecurityHeaders(this WebApplication app) => app.Use((context, next) =>
    {
        // Set last of all: an error's answer starts with empty headers.
        context.Response.OnStarting(() =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = ContentPolicy;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "same-origin";
            headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            return Task.CompletedTask;
        });
        return next(context);
    });
}
