using System.ComponentModel.DataAnnotations;

namespace SaeUnbox.Web.Hosting;

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
