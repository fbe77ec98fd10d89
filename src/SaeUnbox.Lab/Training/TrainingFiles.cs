using System.Globalization;
using System.Security;
using System.Text;
using System.Text.Json;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Stores a training run in one safetensors file: weights, moments, counters and options of every trainer, and notes of the caller. On the
/// CPU a restored run continues bit for bit.
/// </summary>
public static class TrainingState
{
    private const string FormatKey = "format";
    private const string Format = "saeunbox.training/1";
    private const string TrainersKey = "trainers";
    private const string NotesKey = "notes";

    /// <summary>Writes the run. The file appears only when it is complete.</summary>
    public static void Save(TrainingRun run, string path, IReadOnlyDictionary<string, string>? notes = null)
    {
        using var scope = NewDisposeScope();
        var tensors = run.Trainers
            .SelectMany((trainer, i) => Tensors(trainer).Select(pair => KeyValuePair.Create($"{i}/{pair.Key}", pair.Value.cpu())));
        var entries = run.Trainers
            .Select(trainer => new Entry(trainer.Options, trainer.Sae.Config, trainer.MseScale, trainer.StepsDone));
        SafetensorsWriter.Write(path, tensors, new Dictionary<string, string>
        {
            [FormatKey] = Format,
            [TrainersKey] = JsonSerializer.Serialize(entries),
            [NotesKey] = JsonSerializer.Serialize(notes ?? new Dictionary<string, string>()),
        });
    }

    /// <exception cref="SaeException">The file is not a training state.</exception>
    /// <exception cref="CheckpointException">The file is broken.</exception>
    public static (TrainingRun Run, IReadOnlyDictionary<string, string> Notes) Load(string path, Device? device = null)
    {
        using var checkpoint = Checkpoint.Open(path);
        if (!checkpoint.Metadata.TryGetValue(FormatKey, out var format) || format != Format)
            throw new SaeException($"{path}: this is not a training state of this program.");
        var entries = Parse<Entry[]>(TrainersKey);
        var notes = Parse<Dictionary<string, string>>(NotesKey);
        return (new TrainingRun([.. entries.Select((entry, i) => Restore(checkpoint, entry, i, device ?? CPU))]), notes);

        T Parse<T>(string key)
        {
            try
            {
                return JsonSerializer.Deserialize<T>(checkpoint.Metadata.GetValueOrDefault(key, "null"))
                    ?? throw new SaeException($"{path}: the training state lacks {key}.");
            }
            catch (JsonException e)
            {
                throw new SaeException($"{path}: {key} of the training state cannot be read ({e.Message})", e);
            }
        }
    }

    private static SaeTrainer Restore(Checkpoint checkpoint, Entry entry, int index, Device device)
    {
        using var scope = NewDisposeScope();
        entry.Config.Validate(checkpoint.Path);
        long features = entry.Config.Features, width = entry.Config.Width;
        var sae = new SparseAutoencoder(
            entry.Config,
            zeros([features, width], dtype: ScalarType.Float32, device: device),
            zeros([features, width], dtype: ScalarType.Float32, device: device),
            zeros([width], dtype: ScalarType.Float32, device: device),
            zeros([features], dtype: ScalarType.Float32, device: device),
            zeros([features], dtype: ScalarType.Int64, device: device));
        var trainer = new SaeTrainer(entry.Options, sae, entry.MseScale) { StepsDone = entry.StepsDone };
        foreach (var (name, target) in Tensors(trainer))
            checkpoint.Read($"{index}/{name}", target);
        return trainer;
    }

    private static IEnumerable<KeyValuePair<string, Tensor>> Tensors(SaeTrainer trainer) =>
    [
        new("encoder.weight", trainer.Sae.EncoderWeight),
        new("dictionary", trainer.Sae.Dictionary),
        new("pre_bias", trainer.Sae.PreBias),
        new("latent_bias", trainer.Sae.LatentBias),
        new("stats_last_nonzero", trainer.Sae.StatsLastNonzero),
        .. Moments("encoder.weight", trainer.Moments.Encoder),
        .. Moments("dictionary", trainer.Moments.Dictionary),
        .. Moments("pre_bias", trainer.Moments.PreBias),
        .. Moments("latent_bias", trainer.Moments.LatentBias),
    ];

    private static IEnumerable<KeyValuePair<string, Tensor>> Moments(string name, AdamMoments moments) =>
        [new($"adam.first.{name}", moments.First), new($"adam.second.{name}", moments.Second)];

    private sealed record Entry(TrainingOptions Options, SaeConfig Config, double MseScale, long StepsDone);
}

/// <summary>A log of a training as comma-separated values, with a row for each logged step.</summary>
public sealed class TrainingLog
{
    private const string Header =
        "step,reconstruction,auxiliary,total,explained_variance,norm_ratio,dead,"
        + "active_per_position,learning_rate,silent_1e4,silent_1e6,silent_1e7";

    private readonly string _path;

    /// <summary>Opens or creates a log. Rows from step <paramref name="resumeAt"/> on are removed, because these steps are
    /// repeated.</summary>
    public TrainingLog(string path, long resumeAt = 0)
    {
        _path = path;
        var kept = File.Exists(path)
            ? File.ReadLines(path).Skip(1).TakeWhile(line => StepOf(line) is { } step && step < resumeAt).ToArray()
            : [];
        AtomicFile.WriteAllText(path, string.Concat(kept.Prepend(Header).Select(line => line + "\n")));
    }

    public void Add(StepReport report)
    {
        double[] cells =
        [
            report.Step, report.Reconstruction, report.Auxiliary, report.Total, report.ExplainedVariance, report.NormRatio, report.Dead,
            report.ActivePerPosition, report.LearningRate, report.Silent.TenThousand, report.Silent.Million, report.Silent.TenMillion,
        ];
        Files.Append(_path, string.Join(',', cells.Select(cell => cell.ToString("R", CultureInfo.InvariantCulture))) + "\n");
    }

    /// <summary>All columns by name.</summary>
    public IReadOnlyDictionary<string, double[]> Read()
    {
        var rows = File.ReadLines(_path).Skip(1)
            .Select(line => line.Split(',').Select(cell => double.Parse(cell, NumberStyles.Float, CultureInfo.InvariantCulture)).ToArray())
            .ToArray();
        return Header.Split(',').Select((name, column) => (name, column))
            .ToDictionary(pair => pair.name, pair => rows.Select(row => row[pair.column]).ToArray());
    }

    private static long? StepOf(string line) =>
        long.TryParse(line.Split(',')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : null;
}

/// <summary>Plots the log of a training as SVG, in four panels.</summary>
public static class TrainingPlot
{
    private const int PanelWidth = 420;
    private const int PanelHeight = 200;
    private const int Margin = 48;

    private static readonly (string Column, string Title)[] Panels =
    [
        ("total", "loss"), ("explained_variance", "explained variance"), ("dead", "dead features"), ("norm_ratio", "length of x_hat / x"),
    ];

    /// <param name="table">The columns of the log, see <see cref="TrainingLog.Read"/>.</param>
    /// <returns>The text of the SVG.</returns>
    public static string Draw(string title, IReadOnlyDictionary<string, double[]> table)
    {
        var svg = new StringBuilder();
        var (width, height) = (2 * (PanelWidth + Margin) + Margin, 2 * (PanelHeight + Margin) + Margin);
        svg.Append("<svg xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" font-size=\"12\" ");
        svg.Append(CultureInfo.InvariantCulture, $"viewBox=\"0 0 {width} {height}\">\n");
        svg.Append("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n");
        Text(svg, Margin, 20, title);
        for (var i = 0; i < Panels.Length; i++)
        {
            var (column, name) = Panels[i];
            Panel(svg, name, table["step"], table[column], Margin + i % 2 * (PanelWidth + Margin), Margin + i / 2 * (PanelHeight + Margin));
        }

        return svg.Append("</svg>\n").ToString();
    }

    private static void Panel(StringBuilder svg, string title, double[] steps, double[] values, int left, int top)
    {
        svg.Append(CultureInfo.InvariantCulture, $"<rect x=\"{left}\" y=\"{top}\" width=\"{PanelWidth}\" height=\"{PanelHeight}\" ");
        svg.Append("fill=\"none\" stroke=\"#bbb\"/>\n");
        Text(svg, left, top - 6, title);
        var finite = values.Where(double.IsFinite).ToArray();
        if (finite.Length == 0)
            return;
        var (low, high) = (finite.Min(), finite.Max());
        var (first, last) = (steps[0], steps[^1]);
        var (rise, run) = (high > low ? high - low : 1, last > first ? last - first : 1);
        Text(svg, left + 4, top + 14, high.ToString("G4", CultureInfo.InvariantCulture));
        Text(svg, left + 4, top + PanelHeight - 4, low.ToString("G4", CultureInfo.InvariantCulture));
        Text(svg, left + PanelWidth - 80, top + PanelHeight + 14, string.Create(CultureInfo.InvariantCulture, $"step {last:F0}"));
        svg.Append("<polyline fill=\"none\" stroke=\"#2563eb\" stroke-width=\"1.5\" points=\"");
        foreach (var (step, value) in steps.Zip(values).Where(point => double.IsFinite(point.Second)))
        {
            var x = left + (step - first) / run * PanelWidth;
            var y = top + PanelHeight - (value - low) / rise * PanelHeight;
            svg.Append(CultureInfo.InvariantCulture, $"{x:F1},{y:F1} ");
        }

        svg.Append("\"/>\n");
    }

    private static void Text(StringBuilder svg, int x, int y, string text) =>
        svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{x}\" y=\"{y}\" fill=\"#444\">{SecurityElement.Escape(text)}</text>\n");
}
