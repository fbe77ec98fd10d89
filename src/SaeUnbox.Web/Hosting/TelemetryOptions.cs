using System.ComponentModel.DataAnnotations;

namespace SaeUnbox.Web.Hosting;

/// <summary>To whom measurements are told: the section "SaeUnbox:Telemetry". Without a word in it to nobody.</summary>
internal sealed class TelemetryOptions : IValidatableObject
{
    public const string Section = "SaeUnbox:Telemetry";
    private const string Grpc = "grpc", Http = "http/protobuf";

    /// <summary>Where a collector takes OTLP, such as http://collector:4317; empty for nowhere.</summary>
    public string Otlp { get; set; } = "";

    /// <summary>grpc or http/protobuf.</summary>
    public string OtlpProtocol { get; set; } = Grpc;

    /// <summary>Whether /metrics tells the measurements as Prometheus reads them.</summary>
    public bool Prometheus { get; set; }

    /// <summary>Networks that may read /metrics, such as 10.0.0.0/8; the machine itself always may.</summary>
    public IList<string> Readers { get; } = [];

    /// <summary>Null for nowhere.</summary>
    public Uri? Collector => Uri.TryCreate(Otlp, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" ? uri : null;

    public bool IsHttp => OtlpProtocol == Http;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Otlp.Length > 0 && Collector is null)
            yield return new("is no address of a collector; write http://HOST:4317", [nameof(Otlp)]);
        if (OtlpProtocol is not (Grpc or Http))
            yield return new($"is '{OtlpProtocol}'; use {Grpc} or {Http}", [nameof(OtlpProtocol)]);
        foreach (var reader in Readers.Where(reader => !System.Net.IPNetwork.TryParse(reader, out _)))
            yield return new($"has '{reader}', which is no network such as 10.0.0.0/8", [nameof(Readers)]);
    }
}
