using System.Globalization;

namespace SaeUnbox.Lab;

/// <summary>A table of steps as comma-separated values, one row a logged step.</summary>
public sealed class TrainingLog
{
    private const string Header =
        "step,reconstruction,auxiliary,total,explained_variance,norm_ratio,dead,active_per_position,learning_rate,silent_1e4,silent_1e6,silent_1e7";

    private readonly string _path;

    /// <summary>Goes on with a table, without the rows from step <paramref name="resumeAt"/> on, which will be done again.</summary>
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

    /// <summary>The columns by name.</summary>
    public IReadOnlyDictionary<string, double[]> Read()
    {
        var rows = File.ReadLines(_path).Skip(1)
            .Select(line => line.Split(',').Select(cell => double.Parse(cell, CultureInfo.InvariantCulture)).ToArray())
            .ToArray();
        return Header.Split(',').Select((name, column) => (name, column))
            .ToDictionary(pair => pair.name, pair => rows.Select(row => row[pair.column]).ToArray());
    }

    private static long? StepOf(string line) =>
        long.TryParse(line.Split(',')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var step) ? step : null;
}
