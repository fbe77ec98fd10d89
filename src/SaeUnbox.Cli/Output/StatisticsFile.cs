using System.Text.Encodings.Web;
using System.Text.Json;

namespace SaeUnbox.Cli.Output;

/// <summary>Writes the JSON of <c>statistics</c>. Lists are indexed by feature; a neighbour is [feature, cosine].</summary>
internal static class StatisticsFile
{
    private const string Format = "saeunbox.statistics/1";

    public static void Write(
        Stream stream, IReadOnlyList<(Site Site, IFeatureDictionary Sae, StatisticsReport Report)> measured, int neighbours,
        CancellationToken cancellation)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("format", Format);
        json.WriteStartObject("formulas");
        json.WriteString("explainedVariance.perChannel", "mean over channels of 1 - var(x - x_hat) / (var(x) + 1e-8)");
        json.WriteString("explainedVariance.pooled", "1 - sum |x - x_hat|^2 / sum |x - mean(x)|^2");
        json.WriteString("mean, std", "of a feature's values over the positions where they are above 0");
        json.WriteEndObject();
        json.WriteStartObject("sites");
        foreach (var (site, sae, report) in measured)
        {
            json.WriteStartObject(site.Code);
            WriteReport(json, sae, report);
            json.WriteStartObject("neighbours");
            foreach (var other in measured.Where(other => other.Sae.Width == sae.Width))
            {
                cancellation.ThrowIfCancellationRequested();
                json.WriteStartArray(other.Site.Code);
                foreach (var near in CosineNeighbours.Find(sae, other.Sae, neighbours))
                    WriteNeighbours(json, near);
                json.WriteEndArray();
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void WriteReport(Utf8JsonWriter json, IFeatureDictionary sae, StatisticsReport report)
    {
        json.WriteString("autoencoder", sae.Source);
        json.WriteNumber("features", sae.Features);
        json.WriteNumber("k", sae.K);
        json.WriteNumber("width", sae.Width);
        json.WriteNumber("positions", report.Positions);
        json.WriteNumber("activePerPosition", report.ActivePerPosition);
        json.WriteNumber("dead", report.Dead);
        json.WriteStartObject("explainedVariance");
        WriteNumber(json, "perChannel", report.ExplainedVariancePerChannel);
        WriteNumber(json, "pooled", report.ExplainedVariancePooled);
        json.WriteEndObject();
        WriteList(json, "frequency", report.Frequency);
        WriteList(json, "mean", report.Scale.Mean.Select(value => (double)value));
        WriteList(json, "std", report.Scale.StandardDeviation!.Select(value => (double)value));
    }

    // JSON has no infinity or NaN, which result if activations never vary.
    private static void WriteNumber(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value))
            json.WriteNumber(name, value);
        else
            json.WriteNull(name);
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<double> values)
    {
        json.WriteStartArray(name);
        foreach (var value in values)
            json.WriteNumberValue((float)value);
        json.WriteEndArray();
    }

    private static void WriteNeighbours(Utf8JsonWriter json, IReadOnlyList<Neighbour> near)
    {
        json.WriteStartArray();
        foreach (var (feature, cosine) in near)
        {
            json.WriteStartArray();
            json.WriteNumberValue(feature);
            json.WriteNumberValue(cosine);
            json.WriteEndArray();
        }
        json.WriteEndArray();
    }
}
