using SaeUnbox.Mini.Training;

namespace SaeUnbox.Cli.Commands;

/// <summary><c>train-mini</c>: trains the built-in model.</summary>
internal static class TrainMiniCommand
{
    public static Command Create(Terminal terminal)
    {
        var output = Setting.Required<string>("--out", "DIR",
            "Folder of the training: states, samples, the model in model, its autoencoders in saes, figures.json and the atlas.");
        var config = Setting.Of<string?>("--config", "FILE",
            "Options as JSON; missing ones keep their defaults (default: DIR/options.json of a run to continue, else all defaults).");
        var seed = Setting.Of<int?>("--seed", "N", "Seed of all random numbers.");
        var steps = Setting.Of<int?>("--steps", "N", "Training steps of the network; may be changed when a run continues.");
        var from = Setting.Of<string?>("--from", "DIR",
            "Start from the model and autoencoders in this folder instead of random weights: that "
            + "of a run, or of the built-in unbox-mini.");
        var device = new DeviceArgument();
        return terminal.NewCommand("train-mini",
            "Train unbox-mini, measure it, and make its atlas. You can interrupt it; the same command continues.",
            [output, config, seed, steps, from, device.Option], (parsed, cancellation) =>
        {
            var folder = parsed.GetRequiredValue(output);
            OutputFile.RequireFolder(folder, "--out");
            var earlier = Path.Combine(folder, MiniFiles.Options);
            var file = parsed.GetValue(config) ?? (File.Exists(earlier) ? earlier : null);
            var options = file is null ? new MiniTrainingOptions() : MiniTrainingOptionsFile.Read(file);
            if (parsed.GetValue(seed) is { } number)
                options = options with { Seed = number };
            if (parsed.GetValue(steps) is { } count)
                options = options with { Network = options.Network with { Steps = Require.AtLeast(1, "--steps", count) } };
            var place = device.Read(parsed);
            try
            {
                terminal.WithProgress("training", work => MiniTraining.Run(options, folder, new Reporter(terminal, work),
                    parsed.GetValue(from), place, () => MiniFindings.Make(folder, options, place, terminal, work, cancellation),
                    cancellation));
            }
            catch (OperationCanceledException)
            {
                terminal.Note($"the state is saved in {folder}; the same command continues.");
                throw;
            }
            terminal.Output.WriteLine(Path.Combine(folder, "model"));
        });
    }

    private sealed class Reporter(Terminal terminal, LongWork work) : IMiniTrainingProgress
    {
        public void Report(MiniTrainingReport report)
        {
            var figures = string.Join(", ", report.Figures.Select(figure =>
                string.Create(CultureInfo.InvariantCulture, $"{figure.Key} {figure.Value:0.0000}")));
            var line = string.Create(CultureInfo.InvariantCulture,
                $"{report.Stage} {report.Step}/{report.Steps}: {figures}; {report.ImagesPerSecond:0.0} pictures/s, "
                + $"{Remaining.Text(report.Left)}");
            work.Show(report.Step, report.Steps, line);
            if (!terminal.HasBars)
                terminal.Note(line);
        }

        public void Saved(string stage, int step, string path, string? picture)
        {
            if (!terminal.HasBars)
                terminal.Note($"{stage} {step}: saved {path}{(picture is null ? "" : $", samples in {picture}")}");
        }
    }
}
