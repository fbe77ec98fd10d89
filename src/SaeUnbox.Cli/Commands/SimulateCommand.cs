using SaeUnbox.Cli.Serving;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>simulate</c>: estimates from measured times how many users a number of devices can serve.</summary>
internal static class SimulateCommand
{
    public static Command Create(Terminal terminal)
    {
        var defaults = new PaintingLoad();
        var service = Number("--service", "MS", "Median time of a painted edit on the device, as saeunbox bench --runs measures it.",
            defaults.Service);
        var tail = Setting.Of<double?>("--service-p95", "MS", "95th percentile of this time (default: 1.3 times the median).");
        var overhead = Number("--overhead", "MS", "Time that network, broker and browser add.", defaults.Overhead);
        var workers = Setting.Of("--workers", "N,…",
            "Number of devices. With several numbers, find for each the most canvases within --target.", "1");
        var canvases = Setting.Of("--canvases", "N,…", "Numbers of simultaneous canvases.", "1,8,64");
        var stroke = Number("--stroke", "MS",
            "Time between two strokes of a moving brush; 0 sends the next when the last picture arrives.", defaults.StrokeEvery);
        var painting = Number("--painting", "MS", "Mean time that a user paints without a pause.", defaults.Painting);
        var pausing = Number("--pausing", "MS", "Mean length of a pause; 0 means that everybody paints all the time.", defaults.Pausing);
        var target = Setting.Of<double?>("--target", "MS",
            "Also find the most canvases for which 95 % of strokes are shown within this time.");
        var seconds = Number("--seconds", "S", "Simulated time.", defaults.Duration / 1000);
        var json = Setting.Switch("--json", "Print the figures as JSON.");
        return terminal.NewCommand("simulate", "Estimate waiting times, and how many users a number of devices can serve.",
            [service, tail, overhead, workers, canvases, stroke, painting, pausing, target, seconds, json], (parsed, cancellation) =>
        {
            var load = defaults with
            {
                Service = Positive(parsed, service),
                Overhead = NotNegative(parsed, overhead),
                StrokeEvery = NotNegative(parsed, stroke),
                Painting = Positive(parsed, painting),
                Pausing = NotNegative(parsed, pausing),
                Duration = 1000 * Positive(parsed, seconds),
            };
            var devices = NumberList.Parse("--workers", parsed.GetRequiredValue(workers));
            if (devices.Max() is > 10_000 and var many)
                throw new CliException($"--workers {many}: use 1 to 10000.");
            load = load with { Workers = devices[0] };
            var p95 = parsed.GetValue(tail) ?? 1.3 * load.Service;
            if (p95 < load.Service)
                throw new CliException(Text($"--service-p95 {p95}: it cannot be less than --service {load.Service}."));
            load = load with { ServiceP95 = p95 };
            var limit = parsed.GetValue(target);
            if (limit <= 0)
                throw new CliException(Text($"--target {limit}: use a number above 0."));
            if (devices.Count > 1)
            {
                var sizes = Sizes(load, devices, limit ?? throw new CliException("--workers: several numbers need a --target."),
                    cancellation);
                var rows = sizes.Select(size => new { workers = size.Workers, figures = size.Figures });
                if (parsed.GetValue(json))
                    terminal.Output.WriteLine(Json.Text(new { load, sizes = rows }));
                else
                    terminal.Output.Write(ServingTable.Of(sizes));
                return;
            }
            var wanted = NumberList.Parse("--canvases", parsed.GetRequiredValue(canvases));
            if (wanted.Max() is > 100_000 and var most)
                throw new CliException($"--canvases {most}: use up to 100000.");
            var figures = wanted.Select(number =>
            {
                cancellation.ThrowIfCancellationRequested();
                return QueueSimulation.Run(load with { Canvases = number });
            }).ToArray();
            int? fits = limit is { } within ? QueueSimulation.Most(load, within) : null;
            if (parsed.GetValue(json))
                terminal.Output.WriteLine(Json.Text(new { load, figures, most = fits }));
            else
                terminal.Output.Write(ServingTable.Of(figures)
                    + (fits is { } n ? Text($"at most {n} canvases with 95 % of strokes shown within {limit} ms\n") : ""));
        });
    }

    // The most canvases for each number of devices, with their figures.
    private static IReadOnlyList<(int Workers, ServingFigures Figures)> Sizes(
        PaintingLoad load, IReadOnlyList<int> devices, double limit, CancellationToken cancellation) =>
    [
        .. devices.Select(count =>
        {
            cancellation.ThrowIfCancellationRequested();
            var most = QueueSimulation.Most(load with { Workers = count }, limit);
            return (count, QueueSimulation.Run(load with { Workers = count, Canvases = most }));
        }),
    ];

    private static Option<double> Number(string name, string unit, string description, double value) =>
        Setting.Of(name, unit, description, value);

    private static double Positive(ParseResult parsed, Option<double> option) =>
        parsed.GetValue(option) is > 0 and < 1e9 and var value
            ? value
            : throw new CliException(Text($"{option.Name} {parsed.GetValue(option)}: use a number above 0 and below 1,000,000,000."));

    private static double NotNegative(ParseResult parsed, Option<double> option) =>
        parsed.GetValue(option) is >= 0 and < 1e9 and var value
            ? value
            : throw new CliException(Text($"{option.Name} {parsed.GetValue(option)}: use 0 or more, below 1,000,000,000."));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
