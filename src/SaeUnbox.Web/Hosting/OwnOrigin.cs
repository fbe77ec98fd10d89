using System.Collections.Concurrent;

namespace SaeUnbox.Web.Hosting;

/// <summary>
/// Refuses connections from pages of other sites, which must not make pictures in a visitor's name. Behind a proxy that changes the Host,
/// our own pages look like those of another site, so the refusal says how to set up the proxy.
/// </summary>
internal static partial class OwnOrigin
{
    // Anybody can send any Origin, so only this many different ones are logged.
    private const int MostLogged = 20;

    public static void UseOwnOrigin(this WebApplication app, Func<HttpContext, bool> concerns)
    {
        var logged = new ConcurrentDictionary<(string Origin, string Host), bool>();
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(OwnOrigin).FullName!);
        app.UseWhen(concerns, branch => branch.Use(async (context, next) =>
        {
            var request = context.Request;
            if (request.Headers.Origin is not [{ Length: > 0 } origin] || IsOwn(origin, request))
            {
                await next(context);
                return;
            }
            var (page, own) = (Readable(origin), $"{request.Scheme}://{request.Host}");
            if (logged.Count < MostLogged && logged.TryAdd((page, own), true))
                Log.Refused(logger, page, own);
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            await context.Response.WriteAsync(
                $"The page comes from {page}, but its request arrived for {own}, so it counts as a page of another site. A proxy in "
                + "front of the studio must pass the visitor's address on: the Host with its port (nginx: proxy_set_header Host "
                    + "$http_host), "
                + "or X-Forwarded-Host; where it ends TLS, X-Forwarded-Proto too. These headers count only if SaeUnbox:TrustedProxies "
                + "lists the proxy.");
        }));
    }

    private static bool IsOwn(string origin, HttpRequest request) => Uri.TryCreate(origin, UriKind.Absolute, out var uri)
        && uri.Scheme == request.Scheme && string.Equals(uri.Authority, Authority(request), StringComparison.OrdinalIgnoreCase);

    // Without the scheme's own port, as in an Origin.
    private static string? Authority(HttpRequest request) =>
        Uri.TryCreate($"{request.Scheme}://{request.Host}", UriKind.Absolute, out var uri) ? uri.Authority : request.Host.Value;

    private static string Readable(string origin) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Host.Length > 0 ? $"{uri.Scheme}://{uri.Authority}" : "an unnamed site";

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning,
            "A page of {Origin} may not connect, because its request arrived for {Host}. If a proxy stands in "
            + "front, let it pass the Host on or send X-Forwarded-Host and X-Forwarded-Proto, and list it in SaeUnbox:TrustedProxies")]
        public static partial void Refused(ILogger logger, string origin, string host);
    }
}
