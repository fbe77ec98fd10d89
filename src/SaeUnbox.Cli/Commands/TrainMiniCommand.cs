using System.CommandLine;
using System.Globalization;
using SaeUnbox.Cli.Options;
using SaeUnbox.Cli.Output;
using SaeUnbox.Mini.Training;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>train-mini</c>: the small model that ships, from nothing; goes on where it was left.</summary>
internal static class TrainMiniCommand
{
    public static Command Create(Terminal terminal)
    {
        var output = new Option<string>("--out") { Description = "The folder of the run: states, samples, the model under model, its autoencoders under saes, figures.json and the atlas.", HelpName = "DIR", Required = true };
        var config = new Option<string?>("--config") { Description = "Options as JSON; what is left out keeps its default. Without it those of the run in the folder (DIR/options.json), or the defaults.", HelpName = "FILE" };
        var seed = new Option<int?>("--seed") { Description = "The seed of all that is random.", HelpName = "N" };
        var steps = new Option<int?>("--steps") { Description = "Steps of the network; may be changed when a run goes on.", HelpName = "N" };
        var from = new Option<string?>("--from") { Description = "Begin with the model and the autoencoders in this folder (of a run, or unbox-mini beside the program) instead of random weights.", HelpName = "DIR" };
        var device = new DeviceArgument();
        var command = new Command("train-mini", "Train unbox-mini from nothing, measure it, and make its atlas. Stop it at any time; the same command goes on.") { output, config, seed, steps, from };
        device.AddTo(command);
        command.SetGuardedAction(terminal, (parsed, cancellation) =>
        {
            var folder = parsed.GetRequiredValue(output);
            OutputFile.RequireFolder(folder, "--out");
            var (given, begun) = (parsed.GetValue(config), Path.Combine(folder, MiniFiles.Options));
            var options = given is not null ? MiniTrainingOptionsFile.Read(given) : File.Exists(begun) ? MiniTrainingOptionsFile.Read(begun) : new MiniTrainingOptions();
            if (parsed.GetValue(seed) is { } number) options = options with { Seed = number };
            if (parsed.GetValue(steps) is { } count)
                options = count >= 1 ? options with { Network = options.Network with { Steps = count } } : throw new CliException($"--steps {count}: use 1 or more.");
            var place = device.Read(parsed);
            try
            {
                terminal.WithProgress("training", progress =>
                {
                    MiniTraining.Run(options, folder, new Reporter(terminal, progress), parsed.GetValue(from), place,
                        () => MiniFindings.Make(folder, options, place, terminal, progress, cancellation), cancellation);
                    return true;
                });
            }
            catch (OperationCanceledException)
            {
                terminal.Note($"the state is saved in {folder}; the same command goes on from it.");
                throw;
            }
            terminal.Output.WriteLine(Path.Combine(folder, "model"));
        });
        return command;
    }

    /// <summary>A bar on a terminal, lines elsewhere.</summary>
    private sealed class Reporter(Terminal terminal, IProgress<Advance> bar) : IMiniTrainingProgress
    {
        public void Report(MiniTrainingReport report)
        {
            var figures = string.Join(", ", report.Figures.Select(figure => string.Create(CultureInfo.InvariantCulture, $"{figure.Key} {figure.Value:0.0000}")));
            var line = string.Create(CultureInfo.InvariantCulture,
                $"{report.Stage} {report.Step}/{report.Steps}: {figures}; {report.ImagesPerSecond:0.0} pictures/s, {Remaining.Text(report.Left)}");
            bar.Report(new(report.Step, report.Steps, line));
            if (!terminal.HasBars) terminal.Note(line);
        }

        public void Saved(string stage, int step, string path, string? picture)
        {
            if (!terminal.HasBars) terminal.Note($"{stage} {step}: saved {path}{(picture is null ? "" : $", samples in {picture}")}");
        }
    }
}
