using Microsoft.AspNetCore.HttpOverrides;

namespace SaeUnbox.Web.Hosting;

/// <summary>What every answer of the site has in common: proxies, errors, security headers, compression, antiforgery.</summary>
internal static class WebDefaults
{
    // Scripts come from files alone. Style attributes carry numbers only (places of tiles, colours of cells), and are ours.
    private const string ContentPolicy = "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; img-src 'self' data: blob:; "
        + "connect-src 'self'; font-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

    public static void AddWebDefaults(this WebApplicationBuilder builder)
    {
        // As built, pages' own files lie where they were made; a published program has them beside it.
        if (File.Exists(Path.Combine(AppContext.BaseDirectory, "SaeUnbox.Web.staticwebassets.runtime.json")))
            builder.WebHost.UseStaticWebAssets();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = 8 << 20;
        });
        builder.Services.AddProblemDetails();
        builder.Services.AddAntiforgery();
        builder.Services.AddResponseCompression(options => options.EnableForHttps = true);
        builder.Services.AddHsts(options => options.MaxAge = TimeSpan.FromDays(180));
        builder.Services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = ForwardedHeaders.XForwardedFor | ForwardedHeaders.XForwardedProto | ForwardedHeaders.XForwardedHost;
            foreach (var proxy in builder.Configuration.GetSection("SaeUnbox:TrustedProxies").Get<string[]>() ?? [])
                options.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(proxy));
        });
    }

    public static void UseWebDefaults(this WebApplication app)
    {
        app.UseForwardedHeaders();
        app.UseExceptionHandler("/error", createScopeForErrors: true);
        app.UseStatusCodePagesWithReExecute("/not-found");
        if (!app.Environment.IsDevelopment())
            app.UseHsts();
        app.UseResponseCompression();
        app.Use((context, next) =>
        {
            var headers = context.Response.Headers;
            headers.ContentSecurityPolicy = ContentPolicy;
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "same-origin";
            headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()";
            headers["Cross-Origin-Opener-Policy"] = "same-origin";
            return next(context);
        });
        app.UseAntiforgery();
    }
}
