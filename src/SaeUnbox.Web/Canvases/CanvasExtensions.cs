using System.Globalization;
using Microsoft.AspNetCore.Components.Server.Circuits;
using SaeUnbox.Web.Hosting;

namespace SaeUnbox.Web.Canvases;

internal static class CanvasExtensions
{
    private const int LargestMessage = 256 << 10;
    private const string Circuits = "/_blazor";

    public static void AddCanvases(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddAnnotatedOptions<CanvasOptions>(configuration, CanvasOptions.Section);
        services.AddSingleton<ClientLimits>();
        services.AddSingleton<CanvasRegistry>();
        services.AddSingleton<CanvasRelay>();
        services.AddHttpContextAccessor();
        services.AddScoped<Visitor>();
        services.AddScoped<CircuitHandler>(provider => provider.GetRequiredService<Visitor>());
        services.AddSignalR(options => options.MaximumReceiveMessageSize = LargestMessage).AddMessagePackProtocol();
    }

    public static void MapCanvases(this WebApplication app)
    {
        // A browser sends along where a page came from; pages of other sites are not served here. Clicks make pictures as strokes do.
        app.UseWhen(context => context.Request.Path.StartsWithSegments(PaintHub.Address) || context.Request.Path.StartsWithSegments(Circuits), branch => branch.Use(async (context, next) =>
        {
            if (context.Request.Headers.Origin is [{ Length: > 0 } origin] && !IsOwn(origin, context.Request))
            {
                context.Response.StatusCode = StatusCodes.Status403Forbidden;
                await context.Response.WriteAsync("This hub serves its own pages, and programs without an Origin. A proxy that ends TLS must be among SaeUnbox:TrustedProxies.");
                return;
            }
            if (context.Request.Query["version"] is [{ } version] && version != PaintHub.Version.ToString(CultureInfo.InvariantCulture))
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                await context.Response.WriteAsync($"This hub speaks version {PaintHub.Version}, and no other.");
                return;
            }
            await next(context);
        }));
        app.MapHub<PaintHub>(PaintHub.Address);
    }

    private static bool IsOwn(string origin, HttpRequest request) =>
        Uri.TryCreate(origin, UriKind.Absolute, out var uri) && uri.Scheme == request.Scheme && string.Equals(uri.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase);
}
