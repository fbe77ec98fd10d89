using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

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
