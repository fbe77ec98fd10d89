using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Canvases;

/// <summary>Limits the connections of pages and hubs that are open at the same time, in all and for each client.</summary>
internal sealed class ConnectionLimits(IOptions<CanvasOptions> options, IHostApplicationLifetime lifetime)
{
    private const int RetryAfterSeconds = 30;
    private readonly ConcurrentDictionary<string, int> _open = new();
    private int _all;

    /// <summary>Middleware: a connection lasts as long as its request.</summary>
    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            await context.Response.WriteAsync("The server is stopping.");
            return;
        }
        var client = ClientKey.Of(context);
        try
        {
            var (all, own) = (Interlocked.Increment(ref _all), _open.AddOrUpdate(client, 1, (_, count) => count + 1));
            if (all <= options.Value.Connections && own <= options.Value.ConnectionsPerClient)
            {
                await next(context);
                return;
            }
            context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
            context.Response.Headers.RetryAfter = RetryAfterSeconds.ToString(CultureInfo.InvariantCulture);
            await context.Response.WriteAsync("Too many connections are open; close other tabs, or try again later.");
        }
        finally
        {
            Interlocked.Decrement(ref _all);
            if (_open.AddOrUpdate(client, 0, (_, count) => count - 1) == 0)
                _open.TryRemove(new(client, 0));
        }
    }
}
