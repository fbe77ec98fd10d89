using System.Net;
using Microsoft.Extensions.Options;
using OpenTelemetry.Exporter;
using OpenTelemetry.Instrumentation.AspNetCore;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace SaeUnbox.Web.Hosting;

/// <summary>Measurements and traces go to a collector by OTLP, and to Prometheus by /metrics; each only where the configuration says so.</summary>
internal static class Telemetry
{
    private const string MetricsAddress = "/metrics";
    private static readonly string[] Unwatched = ["/healthz", "/readyz", MetricsAddress];

    // Of the framework's own those that tell how the site is doing.
    private static readonly string[] Meters = [ServingTelemetry.Name, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime"];

    public static void AddTelemetry(this WebApplicationBuilder builder, Role role)
    {
        var services = builder.Services;
        var options = services.AddAnnotatedOptions<TelemetryOptions>(builder.Configuration, TelemetryOptions.Section);
        if (options.Collector is null && !options.Prometheus)
            return;
        var telemetry = services.AddOpenTelemetry().ConfigureResource(resource => resource
            .AddService($"saeunbox-{role}".ToLowerInvariant(), serviceVersion: typeof(Telemetry).Assembly.GetName().Version?.ToString(3))
            .AddEnvironmentVariableDetector());
        telemetry.WithMetrics(metrics =>
        {
            metrics.AddMeter(Meters);
            if (options.Prometheus)
                metrics.AddPrometheusExporter();
            if (options.Collector is not null)
                metrics.AddOtlpExporter((exporter, _) => SendTo(exporter, options, "v1/metrics"));
        });
        if (options.Collector is null)
            return;
        services.Configure<AspNetCoreTraceInstrumentationOptions>(Restrict);
        telemetry.WithTracing(traces => traces.AddSource(ServingTelemetry.Name).AddAspNetCoreInstrumentation().AddOtlpExporter(exporter => SendTo(exporter, options, "v1/traces")));
    }

    /// <summary>/metrics, where it is wanted, to those who may read it; to others there is nothing.</summary>
    public static void UseMetricsPage(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<TelemetryOptions>>().Value;
        if (!options.Prometheus)
            return;
        var readers = options.Readers.Select(reader => System.Net.IPNetwork.Parse(reader)).ToArray();
        app.UseOpenTelemetryPrometheusScrapingEndpoint(context => context.Request.Path == MetricsAddress && MayRead(context.Connection.RemoteIpAddress, readers));
    }

    private static bool MayRead(IPAddress? address, System.Net.IPNetwork[] readers)
    {
        if (address is { IsIPv4MappedToIPv6: true })
            address = address.MapToIPv4();
        return address is not null && (IPAddress.IsLoopback(address) || Array.Exists(readers, network => network.Contains(address)));
    }

    private static void SendTo(OtlpExporterOptions exporter, TelemetryOptions options, string path)
    {
        exporter.Protocol = options.IsHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        exporter.Endpoint = options.IsHttp ? new Uri(options.Collector!.ToString().TrimEnd('/') + "/" + path) : options.Collector!;
    }

    // Whoever reads the traces should not be able to open visitors' links; a connection that stays open is no request.
    private static void Restrict(AspNetCoreTraceInstrumentationOptions options)
    {
        options.Filter = context => !context.WebSockets.IsWebSocketRequest && !Unwatched.Contains(context.Request.Path.Value);
        options.EnrichWithHttpRequest = (span, request) =>
        {
            if (request.Path.StartsWithSegments("/s", out _) || request.Path.StartsWithSegments("/api/v1/recipes", out _))
                span.SetTag("url.path", "hidden");
        };
    }
}
