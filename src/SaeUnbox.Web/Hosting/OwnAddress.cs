using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

/// <summary>Settings for proxies and load balancers: the section "SaeUnbox".</summary>
internal sealed class HostingOptions : IValidatableObject
{
    public const string Section = "SaeUnbox";

    /// <summary>
    /// Networks of proxies whose forwarded headers are trusted, such as 10.0.0.0/8. Proxies on this machine are always trusted.
    /// </summary>
    public IList<string> TrustedProxies { get; } = [];

    /// <summary>
    /// The address that visitors use, such as https://studio.example.org, with the path if there is one. Null: the studio answers at names
    /// of this machine and at addresses of numbers only.
    /// </summary>
    public string? PublicUrl { get; set; }

    /// <summary>The path under which a proxy shows the site, such as /sae; empty for the root.</summary>
    public string PathBase { get; set; } = "";

    /// <summary>
    /// On shutdown, how long /readyz fails before the site refuses requests, so that a load balancer can stop sending visitors.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan ReadinessDelay { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var proxy in TrustedProxies.Where(proxy => !System.Net.IPNetwork.TryParse(proxy, out _)))
            yield return new($"contains '{proxy}', which is not a network such as 10.0.0.0/8", [nameof(TrustedProxies)]);
        if (PublicUrl is { Length: > 0 }
            && !(Uri.TryCreate(PublicUrl, UriKind.Absolute, out var url) && url.Scheme is "http" or "https" && url.Query.Length == 0))
            yield return new($"is '{PublicUrl}'; use an address such as https://studio.example.org", [nameof(PublicUrl)]);
        if (PathBase.Length > 0 && (PathBase[0] != '/' || PathBase.AsSpan().IndexOfAny("?#\\ ") >= 0))
            yield return new($"is '{PathBase}'; use a path such as /sae", [nameof(PathBase)]);
    }
}

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
                + "$http_host), or X-Forwarded-Host; where it ends TLS, X-Forwarded-Proto too. These headers count only if "
                + "SaeUnbox:TrustedProxies lists the proxy.");
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

/// <summary>
/// Says once that a proxy does not send X-Forwarded-For. All its visitors then count as one client, and use up each other's limits.
/// </summary>
internal static partial class SilentProxy
{
    /// <summary>Must come before the forwarded headers are applied, as those are gone afterwards.</summary>
    public static void UseSilentProxyWarning(this WebApplication app)
    {
        var headers = app.Services.GetRequiredService<IOptions<ForwardedHeadersOptions>>().Value;
        var name = OwnHost.PublicUrl(app.Services)?.Host;
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger(typeof(SilentProxy).FullName!);
        var isTold = 0;
        app.Use((context, next) =>
        {
            // Under the public name requests come from visitors.
            if (isTold == 0
                && context.Request.Host.Host.Equals(name, StringComparison.OrdinalIgnoreCase)
                && context.Connection.RemoteIpAddress is { } address
                && IsProxy(address, headers)
                && !context.Request.Headers.ContainsKey(ForwardedHeadersDefaults.XForwardedForHeaderName)
                && Interlocked.Exchange(ref isTold, 1) == 0)
                Log.Silent(logger, address);
            return next(context);
        });
    }

    private static bool IsProxy(IPAddress address, ForwardedHeadersOptions headers)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        return IPAddress.IsLoopback(address) || headers.KnownIPNetworks.Any(network => network.Contains(address));
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning,
            "The proxy at {Address} does not send X-Forwarded-For, so all its visitors count as one client")]
        public static partial void Silent(ILogger logger, IPAddress address);
    }
}
