using SaeUnbox.Checkpoints;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>The folder of a training run: states to resume from, sheets of samples, and the model in diffusers' layout.</summary>
internal sealed class MiniFolder
{
    private readonly string _root;

    public MiniFolder(string root)
    {
        _root = root;
        foreach (var part in (string[])["states", "samples", "model"])
            Directory.CreateDirectory(Path.Combine(root, part));
    }

    /// <summary>What SdxlPipeline.Load opens.</summary>
    public string Model => Path.Combine(_root, "model");

    /// <summary>What <c>--saes</c> takes.</summary>
    public string Autoencoders => Path.Combine(_root, "saes");

    /// <summary>What the sites did in drawn pictures.</summary>
    public string Activations => Path.Combine(_root, "states", "activations");

    /// <summary>States and logs of the autoencoders' training.</summary>
    public string AutoencoderStates => Path.Combine(_root, "states", "autoencoders");

    public string State(string stage) => Path.Combine(_root, "states", stage + ".safetensors");

    public string Sheet(string stage, int step) => Path.Combine(_root, "samples", $"{stage}-{step:d6}.png");

    /// <summary>Keeps other trainings out of the folder until disposed.</summary>
    /// <exception cref="CheckpointException">One is under way in it.</exception>
    public IDisposable Lock()
    {
        try
        {
            return new FileStream(Path.Combine(_root, "states", "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (IOException exception)
        {
            throw new CheckpointException($"Another training is under way in '{_root}'; wait for it, or choose another folder.", exception);
        }
    }

    /// <summary>Writes a part's weights in float16.</summary>
    public void WritePart(string part, IReadOnlyDictionary<string, Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        var file = part.StartsWith("text_encoder", StringComparison.Ordinal) ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
        SafetensorsWriter.Write(Path.Combine(Model, part, file), tensors.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.detach().to_type(ScalarType.Float16))));
    }
}
