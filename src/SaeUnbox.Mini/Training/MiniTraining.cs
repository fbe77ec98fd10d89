using System.Diagnostics;
using System.Text.Json;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// Trains unbox-mini: the linear code of pictures, the decoder, U-Net and text encoders together, and the sparse autoencoders of its four
/// sites. A run that was stopped continues with the same options and folder. Only two kinds of options may change: the numbers of steps,
/// which also set the end of the learning rate's schedule, and the options of the autoencoders, which are then trained again.
/// </summary>
public static class MiniTraining
{
    private const int CodePurpose = 1;

    /// <param name="directory">Receives states, samples, the model in "model" and the autoencoders in "saes".</param>
    /// <param name="from">Folder of a trained model and its autoencoders to start from; null to start with random weights. Only the first
    /// call of a run needs it.</param>
    /// <param name="device">cpu, cuda or cuda:N. Scenes are always drawn on the CPU.</param>
    /// <param name="last">Called at the end, while the folder is still locked.</param>
    /// <param name="cancellation">Stops after the current step, and saves the state.</param>
    /// <exception cref="CheckpointException">A state in the folder is broken, has other options or cannot be written, or another training
    /// is under way in the folder.</exception>
    /// <exception cref="ModelException">There is no such device.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static void Run(MiniTrainingOptions options, string directory, IMiniTrainingProgress progress, string? from = null,
        string device = "cpu", Action? last = null, CancellationToken cancellation = default)
    {
        var place = OnDevice.Open(device);
        if (from is not null)
            MiniFolder.OpenStart(from); // reports a wrong folder before anything is written
        RequireLatents(options);
        var folder = new MiniFolder(directory);
        using var alone = FolderLock.Take(directory);
        RequireSameOptions(options, folder); // before anything in a finished folder changes
        if (from is not null)
            folder.TakeStart(from);
        MiniTrainingOptionsFile.Write(Path.Combine(directory, MiniFiles.Options), options);
        var tokenizer = MiniTokenizer.OfGrammar();
        MiniConfigurations.Write(folder.Model, options, tokenizer.Count, tokenizer.StartId, tokenizer.EndId);
        tokenizer.Write(Path.Combine(folder.Model, "tokenizer"), MiniTokenizer.FirstPad);
        tokenizer.Write(Path.Combine(folder.Model, "tokenizer_2"), MiniTokenizer.SecondPad);
        var code = FindCode(options, folder);
        TrainDecoder(options, folder, code, progress, place, cancellation);
        TrainNetwork(options, folder, code, progress, place, cancellation);
        AutoencoderTraining.Run(options, folder, progress, place, cancellation);
        last?.Invoke();
    }

    private static void RequireLatents(MiniTrainingOptions options)
    {
        if (options.Decoder.Blocks.Count is < 3 or > 5 || options.CodedSize != SceneRenderer.DefaultSize)
            throw new CheckpointException($"Pictures of {options.PictureSize} pixels need a decoder of {Stages()}: the latents have 64 x "
                + $"64 cells, and each of the {options.Decoder.Blocks.Count} numbers in Decoder.Blocks after the first doubles that.");

        string Stages() => options.PictureSize switch { 256 => "3 sizes", 512 => "4 sizes", 1024 => "5 sizes", _ => "another size" };
    }

    private static LatentCode FindCode(MiniTrainingOptions options, MiniFolder folder)
    {
        using var scope = NewDisposeScope();
        var (mean, components) = (zeros(LatentCode.PatchValues), zeros(LatentCode.PatchValues, LatentCode.Channels));
        var state = new TrainingState(folder.State("latents"), () => [new("mean", mean), new("components", components)]);
        var text = LatentsText(options);
        if (state.Restore(text) == 0)
        {
            var scenes = Enumerable.Range(0, options.Latents.Scenes)
                .Select(i => SceneSampler.DrawScene(RandomAt.Place(options.Seed, CodePurpose, i), options.Scenes));
            var found = LatentCode.Fit(scenes.Select(scene => SceneRenderer.Render(scene, options.CodedSize)));
            mean.copy_(tensor(found.Mean.ToArray()));
            components.copy_(tensor(found.Components.ToArray()).reshape(LatentCode.PatchValues, LatentCode.Channels));
            state.Save(1, text);
        }
        return new LatentCode(mean.data<float>().ToArray(), components.data<float>().ToArray());
    }

    private static void TrainDecoder(MiniTrainingOptions options, MiniFolder folder, LatentCode code, IMiniTrainingProgress progress,
        Device device, CancellationToken cancellation)
    {
        const string stage = "decoder";
        Threads.Use(options.Network.Workers);
        var config = AutoencoderTinyConfig.From(JsonConfig.Load(Path.Combine(folder.Model, "vae", "config.json")));
        using var drawn = folder.Start is { } trained && options.Decoder is { Steps: > 0, DrawnShare: > 0 }
            ? new DrawnLatents(folder.Model, trained, device)
            : null;
        using var training = new DecoderTraining(options, code, config, device, drawn);
        if (folder.Start is { } start)
        {
            training.Begin(start);
            folder.WritePart("vae", training.Tensors);
        }
        var state = new TrainingState(folder.State(stage), () => training.State);
        var text = DecoderText(options);
        new StageRun(stage, options.Decoder.Steps, options.Decoder.CheckpointEvery, options.Decoder.Batch,
            progress).Run(state.Restore(text),
            step => [("psnr", Decibels(training.Step(step)))],
            steps =>
            {
                state.Save(steps, text);
                training.SaveSheet(folder.Sheet(stage, steps));
                folder.WritePart("vae", training.Tensors);
                return (state.Path, folder.Sheet(stage, steps), []);
            }, cancellation);
    }

    private static void TrainNetwork(MiniTrainingOptions options, MiniFolder folder, LatentCode code, IMiniTrainingProgress progress,
        Device device, CancellationToken cancellation)
    {
        const string stage = "network";
        Threads.Use(1);
        var (decoder, weights) = Autoencoder.Load(Path.Combine(folder.Model, "vae"), Precision.For(ScalarType.Float32, device));
        using var _ = weights;
        using var training = new NetworkTraining(options, folder.Model, code, folder.Start, device);
        var evaluation = new NetworkEvaluation(training, options, code, decoder);
        var state = new TrainingState(folder.State(stage), () => training.State);
        var text = NetworkText(options);
        var done = state.Restore(text);
        training.Share();
        if (folder.Start is not null && done == 0)
            WriteNetwork(folder, training); // so that a run of 0 steps has a network
        new StageRun(stage, options.Network.Steps, options.Network.CheckpointEvery, options.Network.Batch * options.Network.Workers,
            progress).Run(done,
            step =>
            {
                var result = training.Step(step);
                return [("plain", result.Plain ?? double.NaN), ("swap", result.Swap ?? double.NaN), ("paint", result.Paint ?? double.NaN),
                    ("labels", result.Labels), ("gradient", result.GradientNorm)];
            },
            steps =>
            {
                state.Save(steps, text);
                training.RefreshAveraged();
                WriteNetwork(folder, training);
                evaluation.SaveSheet(folder.Sheet(stage, steps));
                return (state.Path, folder.Sheet(stage, steps), [("heldout", evaluation.HeldOutError())]);
            }, cancellation);
    }

    private static void WriteNetwork(MiniFolder folder, NetworkTraining training)
    {
        var network = training.Averaged;
        UnknownWords.Silence(network, training.Tokenizer, training.Tokenizer2);
        foreach (var part in (string[])["unet", "text_encoder", "text_encoder_2"])
            folder.WritePart(part, network.TensorsOf(part));
        SafetensorsWriter.Write(folder.Heads, network.TensorsOf("heads"));
    }

    private static double Decibels(double squareErrorOfTwo) => 10 * Math.Log10(4 / squareErrorOfTwo);

    private static void RequireSameOptions(MiniTrainingOptions options, MiniFolder folder)
    {
        TrainingState.Require(folder.State("latents"), LatentsText(options));
        TrainingState.Require(folder.State("decoder"), DecoderText(options));
        TrainingState.Require(folder.State("network"), NetworkText(options));
    }

    private static string LatentsText(MiniTrainingOptions options) =>
        Text(options.Seed, options.PictureSize, options.Scenes, options.Latents);

    private static string DecoderText(MiniTrainingOptions options) =>
        Text(options.Seed, options.PictureSize, options.Scenes, options.Latents, options.Decoder with { Steps = 0 });

    private static string NetworkText(MiniTrainingOptions options) => Text(new
    {
        options.Seed,
        options.PictureSize,
        options.Scenes,
        options.Latents,
        Decoder = options.Decoder with { Steps = 0 },
        Network = options.Network with { Steps = 0 },
    });

    private static string Text(params object[] options) => JsonSerializer.Serialize(options);
}

/// <summary>The progress of a training.</summary>
/// <param name="Stage">"decoder", "network", "activations", or "autoencoder" and its site.</param>
/// <param name="Step">Steps done in the stage.</param>
/// <param name="Steps">All steps of the stage.</param>
/// <param name="Figures">Losses and other figures, averaged over the steps since the last report.</param>
/// <param name="ImagesPerSecond">Pictures per second since the last report.</param>
/// <param name="Left">Remaining time of the stage.</param>
public sealed record MiniTrainingReport(
    string Stage, int Step, int Steps, IReadOnlyDictionary<string, double> Figures, double ImagesPerSecond, TimeSpan Left);

/// <summary>Receives the progress of a training, on its thread.</summary>
public interface IMiniTrainingProgress
{
    void Report(MiniTrainingReport report);

    /// <summary>A checkpoint was written.</summary>
    /// <param name="picture">The sheet of samples written with it; null without one.</param>
    void Saved(string stage, int step, string path, string? picture);
}

/// <summary>Runs the remaining steps of a stage, reports progress, and saves regularly and on cancellation.</summary>
internal sealed class StageRun(string stage, int steps, int checkpointEvery, int imagesPerStep, IMiniTrainingProgress progress)
{
    private const int ReportEvery = 10;

    /// <param name="done">Steps done earlier.</param>
    /// <param name="step">Does a step and returns its figures. NaN values are ignored.</param>
    /// <param name="save">Saves the state after a number of steps. Returns its path, the path of a sheet of samples, and figures.</param>
    public void Run(int done, Func<int, IEnumerable<(string Name, double Value)>> step,
        Func<int, (string Path, string? Sheet, IReadOnlyList<(string Name, double Value)> Figures)> save, CancellationToken cancellation)
    {
        var figures = new Dictionary<string, (double Sum, int Count)>();
        var (clock, since) = (Stopwatch.StartNew(), done);
        for (var next = done; next < steps; next++)
        {
            if (cancellation.IsCancellationRequested)
            {
                if (next > done)
                    save(next);
                cancellation.ThrowIfCancellationRequested();
            }
            Note(step(next));
            var perStep = clock.Elapsed / (next + 1 - since);
            (string Path, string? Sheet, IReadOnlyList<(string, double)> Figures)? saved = null;
            if ((next + 1) % checkpointEvery == 0 || next + 1 == steps)
            {
                clock.Stop();
                saved = save(next + 1);
                clock.Start();
                Note(saved.Value.Figures);
            }
            if ((next + 1) % ReportEvery == 0 || next + 1 == steps)
            {
                progress.Report(new(stage, next + 1, steps,
                    figures.ToDictionary(figure => figure.Key, figure => figure.Value.Sum / figure.Value.Count),
                    imagesPerStep / perStep.TotalSeconds, perStep * (steps - next - 1)));
                figures.Clear();
                since = next + 1;
                clock.Restart();
            }
            if (saved is { } there)
                progress.Saved(stage, next + 1, there.Path, there.Sheet);
        }

        void Note(IEnumerable<(string Name, double Value)> noted)
        {
            foreach (var (name, value) in noted.Where(figure => !double.IsNaN(figure.Value)))
            {
                var (sum, count) = figures.GetValueOrDefault(name);
                figures[name] = (sum + value, count + 1);
            }
        }
    }
}

/// <summary>Reports the progress of a stage that runs its own loop.</summary>
internal sealed class StageClock(string stage, int steps, IMiniTrainingProgress progress, int done)
{
    private readonly Stopwatch _clock = Stopwatch.StartNew();

    /// <param name="step">Steps done.</param>
    /// <param name="imagesPerStep">Pictures per step.</param>
    public void Report(int step, double imagesPerStep, IReadOnlyDictionary<string, double> figures)
    {
        var perStep = _clock.Elapsed / Math.Max(1, step - done);
        progress.Report(new(stage, step, steps, figures, imagesPerStep / perStep.TotalSeconds, perStep * (steps - step)));
        done = step;
        _clock.Restart();
    }
}

/// <summary>Random numbers that depend only on a seed and a place in the run, so that a run can resume anywhere.</summary>
internal static class RandomAt
{
    /// <param name="place">A number of the purpose, and numbers such as those of the step and the picture.</param>
    public static Random Place(int seed, params ReadOnlySpan<int> place)
    {
        // SplitMix64 over the parts.
        var mixed = (ulong)seed;
        foreach (var part in place)
        {
            mixed += 0x9E3779B97F4A7C15 + (ulong)(uint)part * 0xD1B54A32D192ED03;
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            mixed ^= mixed >> 31;
        }
        return new Random((int)(mixed >> 33));
    }
}
