using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// A training run on disk: weights, moments, counters and options of every trainer in one safetensors file, so that on
/// the CPU the run goes on bit for bit. The caller's notes (where it stands in its data) travel with it.
/// </summary>
public static class TrainingState
{
    private const string FormatKey = "format";
    private const string Format = "saeunbox.training/1";
    private const string TrainersKey = "trainers";
    private const string NotesKey = "notes";

    /// <summary>Writes the run aside and renames it into place.</summary>
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

    /// <summary>Reads a run and the caller's notes.</summary>
    /// <exception cref="SaeException">The file is no training state.</exception>
    /// <exception cref="CheckpointException">The file is broken.</exception>
    public static (TrainingRun Run, IReadOnlyDictionary<string, string> Notes) Load(string path, Device? device = null)
    {
        using var checkpoint = Checkpoint.Open(path);
        if (!checkpoint.Metadata.TryGetValue(FormatKey, out var format) || format != Format)
            throw new SaeException($"{path}: not a training state of this program.");
        var entries = Parse<Entry[]>(TrainersKey);
        var notes = Parse<Dictionary<string, string>>(NotesKey);
        return (new TrainingRun([.. entries.Select((entry, i) => Restore(checkpoint, entry, i, device ?? CPU))]), notes);

        T Parse<T>(string key)
        {
            try
            {
                return JsonSerializer.Deserialize<T>(checkpoint.Metadata.GetValueOrDefault(key, "null"))
                    ?? throw new SaeException($"{path}: {key} is missing from the training state.");
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
