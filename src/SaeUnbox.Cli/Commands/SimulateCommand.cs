using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Cli.Serving;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>simulate</c>: how many people a number of devices can serve, from measured times.</summary>
internal static class SimulateCommand
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    public static Command Create(Terminal terminal)
    {
        var defaults = new PaintingLoad();
        var service = Number("--service", "MS", "Median time of a painted edit on the device (saeunbox bench --runs).", defaults.Service);
        var tail = new Option<double?>("--service-p95") { Description = "Its 95th percentile (default: 1.3 times the median).", HelpName = "MS" };
        var overhead = Number("--overhead", "MS", "What comes to it on the way: network, broker, browser.", defaults.Overhead);
        var workers = new Option<string>("--workers") { Description = "Devices; several numbers with commas tell for each the most canvases within --target.", HelpName = "N,…", DefaultValueFactory = _ => "1" };
        var canvases = new Option<string>("--canvases") { Description = "Canvases that are painted on at once, several with commas.", HelpName = "N,…", DefaultValueFactory = _ => "1,8,64" };
        var stroke = Number("--stroke", "MS", "From one stroke of a moving brush to the next; 0: as soon as the last one's picture is there.", defaults.StrokeEvery);
        var painting = Number("--painting", "MS", "Mean length of a time of painting.", defaults.Painting);
        var pausing = Number("--pausing", "MS", "Mean length of the pause after it; 0: everybody paints all the time.", defaults.Pausing);
        var target = new Option<double?>("--target") { Description = "Also find the most canvases with which 95 % of strokes are seen within this time.", HelpName = "MS" };
        var seconds = Number("--seconds", "S", "Simulated time.", defaults.Duration / 1000);
        var json = new Option<bool>("--json") { Description = "Print the figures as JSON." };
        var command = new Command("simulate", "How long people wait and how many a number of devices can serve, by the queue's rules and measured times.")
            { service, tail, overhead, workers, canvases, stroke, painting, pausing, target, seconds, json };
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            var load = defaults with
            {
                Service = Positive(parsed, service), Overhead = NotNegative(parsed, overhead), StrokeEvery = NotNegative(parsed, stroke),
                Painting = Positive(parsed, painting), Pausing = NotNegative(parsed, pausing), Duration = 1000 * Positive(parsed, seconds),
            };
            var devices = NumberList.Parse("--workers", parsed.GetRequiredValue(workers));
            if (devices.Max() is > 10_000 and var many) throw new CliException($"--workers {many}: use 1 to 10000.");
            load = load with { Workers = devices[0] };
            var p95 = parsed.GetValue(tail) ?? 1.3 * load.Service;
            load = load with { ServiceP95 = p95 >= load.Service ? p95 : throw new CliException(Text($"--service-p95 {p95}: it cannot be less than --service {load.Service}.")) };
            double? limit = parsed.GetValue(target) is { } asked ? asked > 0 ? asked : throw new CliException(Text($"--target {asked}: use more than 0.")) : null;
            if (devices.Count > 1)
            {
                var sizes = Sizes(load, devices, limit ?? throw new CliException("--workers: several numbers need a --target."), cancellation);
                if (parsed.GetValue(json)) terminal.Output.WriteLine(JsonSerializer.Serialize(new { load, sizes = sizes.Select(size => new { workers = size.Workers, figures = size.Figures }) }, Format));
                else terminal.Output.Write(ServingTable.Of(sizes));
                return;
            }
            var wanted = NumberList.Parse("--canvases", parsed.GetRequiredValue(canvases));
            if (wanted.Max() is > 100_000 and var most) throw new CliException($"--canvases {most}: use up to 100000.");
            var figures = wanted.Select(number =>
            {
                cancellation.ThrowIfCancellationRequested();
                return QueueSimulation.Run(load with { Canvases = number });
            }).ToArray();
            int? fits = limit is { } within ? QueueSimulation.Most(load, within) : null;
            if (parsed.GetValue(json)) terminal.Output.WriteLine(JsonSerializer.Serialize(new { load, figures, most = fits }, Format));
            else terminal.Output.Write(ServingTable.Of(figures) + (fits is { } n ? Text($"at most {n} canvases with 95 % of strokes seen within {limit} ms\n") : ""));
        });
        return command;
    }

    // The most canvases for each number of devices, and how they fare.
    private static IReadOnlyList<(int Workers, ServingFigures Figures)> Sizes(PaintingLoad load, IReadOnlyList<int> devices, double limit, CancellationToken cancellation) =>
    [
        .. devices.Select(count =>
        {
            cancellation.ThrowIfCancellationRequested();
            var most = QueueSimulation.Most(load with { Workers = count }, limit);
            return (count, QueueSimulation.Run(load with { Workers = count, Canvases = most }));
        }),
    ];

    private static Option<double> Number(string name, string unit, string description, double value) =>
        new(name) { Description = description, HelpName = unit, DefaultValueFactory = _ => value };

    private static double Positive(ParseResult parsed, Option<double> option) =>
        parsed.GetValue(option) is > 0 and < 1e9 and var value ? value : throw new CliException(Text($"{option.Name} {parsed.GetValue(option)}: use more than 0, and less than 1,000,000,000."));

    private static double NotNegative(ParseResult parsed, Option<double> option) =>
        parsed.GetValue(option) is >= 0 and < 1e9 and var value ? value : throw new CliException(Text($"{option.Name} {parsed.GetValue(option)}: use 0 or more."));

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
