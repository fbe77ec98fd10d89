using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

/// <summary>
/// The part of the address under which a proxy shows the studio, such as /sae: from <see cref="HostingOptions.PathBase"/>, or from a
/// trusted proxy's X-Forwarded-Prefix.
/// </summary>
internal static class PathPrefix
{
    /// <summary>Must come behind the forwarded headers and before routing.</summary>
    public static void UsePathPrefix(this WebApplication app)
    {
        var own = Normalized(app.Services.GetRequiredService<IOptions<HostingOptions>>().Value.PathBase);
        app.Use((context, next) =>
        {
            var request = context.Request;
            request.PathBase = Normalized(request.PathBase.Value) is { HasValue: true } forwarded ? forwarded : own;
            // Some proxies remove the prefix from the path, others leave it.
            if (request.PathBase.HasValue && request.Path.StartsWithSegments(request.PathBase, out var rest))
                request.Path = rest.HasValue ? rest : "/";
            return next(context);
        });
    }

    private static PathString Normalized(string? prefix) =>
        prefix?.Trim('/') is { Length: > 0 } text ? new PathString($"/{text}") : default;
}
