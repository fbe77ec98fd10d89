using System.ComponentModel.DataAnnotations;
using System.Net;
using Microsoft.Extensions.Options;
using OpenTelemetry.Exporter;
using OpenTelemetry.Instrumentation.AspNetCore;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace SaeUnbox.Web.Hosting;

/// <summary>Sends metrics and traces to an OTLP collector and serves metrics to Prometheus at /metrics, each only if configured.</summary>
internal static class Telemetry
{
    private const string MetricsAddress = "/metrics";
    private static readonly string[] Untraced = ["/healthz", "/readyz", MetricsAddress];

    // Our own metrics, and the framework's metrics of the site's health.
    private static readonly string[] Meters =
        [ServingTelemetry.Name, "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime"];

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
        services.Configure<AspNetCoreTraceInstrumentationOptions>(FilterTraces);
        telemetry.WithTracing(traces => traces.AddSource(ServingTelemetry.Name).AddAspNetCoreInstrumentation()
            .AddOtlpExporter(exporter => SendTo(exporter, options, "v1/traces")));
    }

    /// <summary>Serves /metrics to the allowed networks if Prometheus is enabled. Others get 404.</summary>
    public static void UseMetricsPage(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<TelemetryOptions>>().Value;
        if (!options.Prometheus)
            return;
        var readers = options.Readers.Select(reader => System.Net.IPNetwork.Parse(reader)).ToArray();
        app.UseOpenTelemetryPrometheusScrapingEndpoint(context =>
            context.Request.Path == MetricsAddress && MayRead(context, readers));
    }

    // Behind a proxy on this machine that does not send X-Forwarded-For, every visitor seems to be the machine itself. The name that was
    // asked for tells the difference.
    private static bool MayRead(HttpContext context, System.Net.IPNetwork[] readers)
    {
        var address = context.Connection.RemoteIpAddress;
        if (address is { IsIPv4MappedToIPv6: true })
            address = address.MapToIPv4();
        return address is not null
            && (IPAddress.IsLoopback(address) && IsLoopback(context.Request.Host.Host)
                || Array.Exists(readers, network => network.Contains(address)));
    }

    private static bool IsLoopback(string host) => host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address);

    private static void SendTo(OtlpExporterOptions exporter, TelemetryOptions options, string path)
    {
        exporter.Protocol = options.IsHttp ? OtlpExportProtocol.HttpProtobuf : OtlpExportProtocol.Grpc;
        exporter.Endpoint = options.IsHttp ? new Uri(options.Collector!.ToString().TrimEnd('/') + "/" + path) : options.Collector!;
    }

    // Hides short links, so that readers of traces cannot open them, and leaves out WebSockets, which stay open for hours.
    private static void FilterTraces(AspNetCoreTraceInstrumentationOptions options)
    {
        options.Filter = context => !context.WebSockets.IsWebSocketRequest && !Untraced.Contains(context.Request.Path.Value);
        options.EnrichWithHttpRequest = (span, request) =>
        {
            if (request.Path.StartsWithSegments("/s", out _) || request.Path.StartsWithSegments("/api/v1/recipes", out _))
                span.SetTag("url.path", "hidden");
        };
    }
}

/// <summary>Where metrics and traces go: the section "SaeUnbox:Telemetry". By default nowhere.</summary>
internal sealed class TelemetryOptions : IValidatableObject
{
    public const string Section = "SaeUnbox:Telemetry";
    private const string Grpc = "grpc", Http = "http/protobuf";

    /// <summary>Address of an OTLP collector, such as http://collector:4317; empty for none.</summary>
    public string Otlp { get; set; } = "";

    /// <summary>grpc or http/protobuf.</summary>
    public string OtlpProtocol { get; set; } = Grpc;

    /// <summary>Whether /metrics serves metrics in Prometheus's format.</summary>
    public bool Prometheus { get; set; }

    /// <summary>Networks that may read /metrics, such as 10.0.0.0/8. This machine always may.</summary>
    public IList<string> Readers { get; } = [];

    /// <summary>The collector's address; null if there is none or it is invalid.</summary>
    public Uri? Collector => Uri.TryCreate(Otlp, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : null;

    public bool IsHttp => OtlpProtocol == Http;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Otlp.Length > 0 && Collector is null)
            yield return new("is not a collector's address; write http://HOST:4317", [nameof(Otlp)]);
        if (OtlpProtocol is not (Grpc or Http))
            yield return new($"is '{OtlpProtocol}'; use {Grpc} or {Http}", [nameof(OtlpProtocol)]);
        foreach (var reader in Readers.Where(reader => !System.Net.IPNetwork.TryParse(reader, out _)))
            yield return new($"contains '{reader}', which is not a network such as 10.0.0.0/8", [nameof(Readers)]);
    }
}
