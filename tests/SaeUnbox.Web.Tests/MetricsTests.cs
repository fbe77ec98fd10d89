using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using SaeUnbox.Testing;

namespace SaeUnbox.Web.Tests;

/// <summary>The metrics page, who may read it, and traces.</summary>
public sealed class MetricsTests
{
    [Fact]
    public async Task Metrics_AfterAJob_HaveItsStagesButNoPrompt()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Telemetry:Prometheus=true");
        using var made = await studio.Client.PostAsJsonAsync("/api/v1/generate", new { prompt = "a secret garden" });
        Assert.Equal(HttpStatusCode.OK, made.StatusCode);

        var page = await studio.Client.GetStringAsync("/metrics");

        foreach (var stage in new[] { "wait", "text", "unet", "decode", "encode" })
            Assert.Equal(1, Value(page, $$"""saeunbox_job_stage_duration_seconds_count\{[^}]*stage="{{stage}}"[^}]*\}"""));
        Assert.Equal(1, Value(page, """saeunbox_jobs_ended_total\{[^}]*outcome="completed"[^}]*\}"""));
        Assert.Equal(0, Value(page, """saeunbox_jobs_running\{[^}]*queue="device"[^}]*\}"""));
        Assert.True(Value(page, """saeunbox_device_memory_usage_bytes\{[^}]*device="cpu"[^}]*\}""") > 1 << 20);
        Assert.DoesNotContain("secret", page);
    }

    [Fact]
    public async Task Metrics_FromAVisitor_AreNotFound()
    {
        await using var studio = await Studio.OfAsync("--SaeUnbox:Telemetry:Prometheus=true",
            "--SaeUnbox:Telemetry:Readers:0=192.0.2.0/24");

        Assert.Equal(HttpStatusCode.OK, await StatusAsync(studio, "192.0.2.7"));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(studio, "203.0.113.1"));
    }

    [Fact]
    public async Task Metrics_NotConfigured_AreNotFound()
    {
        await using var studio = await Studio.OfAsync();

        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(studio, null));
    }

    // People who read traces must not be able to open visitors' links.
    [Fact]
    public async Task Traces_OfAShortLink_OmitItsId()
    {
        using var collector = new Collector();
        await using var studio = await Studio.OfAsync($"--SaeUnbox:Telemetry:Otlp={collector.Address}",
            "--SaeUnbox:Telemetry:OtlpProtocol=http/protobuf", "--OTEL_BSP_SCHEDULE_DELAY=200");
        using var saved = await studio.Client.PostAsJsonAsync("/api/v1/recipes", new { prompt = "a boat" });
        var id = (await saved.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetString()!;
        foreach (var address in new[] { $"/s/{id}", $"/api/v1/recipes/{id}", "/api/v1/models" })
            Assert.Equal(HttpStatusCode.OK, (await studio.Client.GetAsync(address)).StatusCode);

        // Spans arrive in the order in which they ended.
        await collector.FindAsync("/v1/traces", Studio.Patience, "/api/v1/models");
        await collector.FindAsync("/v1/traces", Studio.Patience, "/s/{id}", "hidden");
        Assert.DoesNotContain(collector.Taken, message => message.AsSpan().IndexOf(Encoding.UTF8.GetBytes(id)) >= 0);
    }

    private static double Value(string page, string series) =>
        double.Parse(
            Regex.Match(page, $"^{series} (\\S+)", RegexOptions.Multiline) is { Success: true } found
                ? found.Groups[1].Value
                : throw new InvalidOperationException($"no {series} in:\n{page}"), System.Globalization.CultureInfo.InvariantCulture);

    // Sends the request as a proxy on this machine would.
    private static async Task<HttpStatusCode> StatusAsync(Studio studio, string? visitor)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        if (visitor is not null)
            request.Headers.Add("X-Forwarded-For", visitor);
        using var answer = await studio.Client.SendAsync(request);
        return answer.StatusCode;
    }
}
