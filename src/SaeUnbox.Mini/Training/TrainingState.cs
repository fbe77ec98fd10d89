using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>All tensors of a stage and its step count in one file, written whole or not at all.</summary>
internal sealed class TrainingState(string path, Func<IEnumerable<KeyValuePair<string, Tensor>>> tensors)
{
    private const string StepKey = "step", OptionsKey = "options";

    public string Path => path;

    /// <param name="options">The options of the run as text: a run goes on only with those it began with.</param>
    public void Save(int step, string options) => SafetensorsWriter.Write(path, tensors(), new Dictionary<string, string>
    {
        [StepKey] = step.ToString(CultureInfo.InvariantCulture), [OptionsKey] = options,
    });

    /// <summary>Fills the tensors from the file and returns the steps done; 0 and nothing read where there is no file.</summary>
    /// <exception cref="CheckpointException">The file is broken, of other options, or of another shape.</exception>
    public int Restore(string options)
    {
        if (!File.Exists(path))
            return 0;
        using var checkpoint = Open(path, options);
        if (!int.TryParse(checkpoint.Metadata.GetValueOrDefault(StepKey), CultureInfo.InvariantCulture, out var step))
            throw new CheckpointException($"The training state '{path}' does not say at which step it was saved.");
        using var noGrad = no_grad();
        foreach (var (name, tensor) in tensors())
            checkpoint.Read(name, tensor);
        return step;
    }

    /// <summary>Checks that a state may be gone on from with these options; one that is not there may.</summary>
    /// <exception cref="CheckpointException">The file is broken or of other options.</exception>
    public static void Require(string path, string options)
    {
        if (File.Exists(path))
            Open(path, options).Dispose();
    }

    private static Checkpoint Open(string path, string options)
    {
        var checkpoint = Checkpoint.Open(path);
        if (checkpoint.Metadata.GetValueOrDefault(OptionsKey) == options)
            return checkpoint;
        checkpoint.Dispose();
        throw new CheckpointException($"The training state '{path}' was begun with other options; train with those or into another folder.");
    }
}
