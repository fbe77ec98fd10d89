using System.ComponentModel.DataAnnotations;

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
