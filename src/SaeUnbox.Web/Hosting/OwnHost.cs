using System.Net;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

/// <summary>
/// Answers only under the studio's own names, so that another site cannot reach a local studio through a name that it points at this
/// machine. Its own are addresses of numbers, names of this machine, and the name in <see cref="HostingOptions.PublicUrl"/>.
/// </summary>
internal static class OwnHost
{
    // Asked by programs that know the machine by another name.
    private static readonly string[] Probes = ["/healthz", "/readyz", "/metrics"];

    /// <summary>Must come behind the forwarded headers.</summary>
    public static void UseOwnHost(this WebApplication app)
    {
        var own = PublicUrl(app.Services)?.Host;
        app.Use(async (context, next) =>
        {
            var host = context.Request.Host.Host;
            if (IsLocal(host) || host.Equals(own, StringComparison.OrdinalIgnoreCase) || Probes.Contains(context.Request.Path.Value))
            {
                await next(context);
                return;
            }
            context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            context.Response.ContentType = "text/plain; charset=utf-8";
            await context.Response.WriteAsync(own is null
                ? "This studio answers at localhost only. To show it under this name, set SaeUnbox:PublicUrl to its address, such as "
                    + "https://studio.example.org.\n"
                : $"This studio answers at {PublicUrl(app.Services)}\n");
        });
    }

    /// <summary>The address of the studio in links for others, without a slash at the end.</summary>
    public static string SiteOf(HttpRequest request) =>
        (PublicUrl(request.HttpContext.RequestServices)?.ToString() ?? $"{request.Scheme}://{request.Host}{request.PathBase}").TrimEnd('/');

    internal static Uri? PublicUrl(IServiceProvider services) =>
        services.GetRequiredService<IOptions<HostingOptions>>().Value.PublicUrl is { Length: > 0 } url ? new Uri(url) : null;

    private static bool IsLocal(string host) => host.Length == 0 || IPAddress.TryParse(host.Trim('[', ']'), out _)
        || host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase)
        || host.Equals(Environment.MachineName, StringComparison.OrdinalIgnoreCase);
}
