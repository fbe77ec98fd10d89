using System.ComponentModel.DataAnnotations;

namespace SaeUnbox.Web.Hosting;

/// <summary>How the site stands in its surroundings: the section "SaeUnbox".</summary>
internal sealed class HostingOptions : IValidatableObject
{
    public const string Section = "SaeUnbox";

    /// <summary>Networks of proxies whose word on the client's address is taken, such as 10.0.0.0/8; the machine itself is always believed.</summary>
    public IList<string> TrustedProxies { get; } = [];

    /// <summary>How long /readyz says no before the site stops taking requests, so that a balancer sends nobody more.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan ReadinessDelay { get; set; }

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => TrustedProxies
        .Where(proxy => !System.Net.IPNetwork.TryParse(proxy, out _))
        .Select(proxy => new ValidationResult($"has '{proxy}', which is no network such as 10.0.0.0/8", [nameof(TrustedProxies)]));
}
