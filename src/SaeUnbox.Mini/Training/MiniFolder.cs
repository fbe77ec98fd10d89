using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>The folder of a training: states to resume from, sheets of samples, and the model.</summary>
internal sealed class MiniFolder
{
    private readonly string _root;

    public MiniFolder(string root) : this(root, true)
    {
    }

    private MiniFolder(string root, bool creates)
    {
        _root = root;
        if (!creates)
            return;
        foreach (var part in (string[])["states", "samples", "model"])
            Directory.CreateDirectory(Path.Combine(root, part));
    }

    /// <summary>The model in the layout of diffusers.</summary>
    public string Model => Path.Combine(_root, "model");

    /// <summary>The sparse autoencoders in the published layout.</summary>
    public string Autoencoders => Path.Combine(_root, "saes");

    public string Figures => Path.Combine(_root, MiniFiles.Figures);

    public string Atlas => Path.Combine(_root, MiniFiles.Atlas);

    /// <summary>The label heads, from which another training can continue.</summary>
    public string Heads => Path.Combine(_root, "heads.safetensors");

    /// <summary>The model that the training started from; null if it started with random weights.</summary>
    public MiniFolder? Start => Directory.Exists(StartPath) ? new MiniFolder(StartPath, false) : null;

    // Stores the path of the original.
    private string Origin => Path.Combine(StartPath, "origin");

    private string StartPath => Path.Combine(_root, "states", "start");

    /// <summary>Activations to train the autoencoders on.</summary>
    public string Activations => Path.Combine(_root, "states", "activations");

    /// <summary>States and logs of training the autoencoders.</summary>
    public string AutoencoderStates => Path.Combine(_root, "states", "autoencoders");

    public string State(string stage) => Path.Combine(_root, "states", stage + ".safetensors");

    public string Sheet(string stage, int step) => Path.Combine(_root, "samples", $"{stage}-{step:d6}.png");

    /// <summary>Copies the model to start from, so that the run can continue even if the original changes.</summary>
    /// <param name="from">A folder with model and saes, of a training or of the built-in model.</param>
    /// <exception cref="CheckpointException">The folder lacks one of them, or the run started from another model or random
    /// weights.</exception>
    public void TakeStart(string from)
    {
        var source = OpenStart(from);
        if (Start is not null)
        {
            var origin = File.Exists(Origin) ? File.ReadAllText(Origin) : "another folder";
            if (origin != Path.GetFullPath(from))
                throw new CheckpointException($"The training in '{_root}' started from the model in {origin}, not in '{from}'; "
                    + "leave --from out to continue, or choose another folder.");
            return;
        }
        if (Directory.EnumerateFiles(Path.Combine(_root, "states"), "*.safetensors").Any())
            throw new CheckpointException(
                $"The training in '{_root}' started with random weights; to start from '{from}', choose another folder.");
        var aside = StartPath + ".part";
        if (Directory.Exists(aside))
            Directory.Delete(aside, true);
        Copy(Files(source.Model).Concat(Files(source.Autoencoders)).Concat(File.Exists(source.Heads) ? [source.Heads] : []), from, aside);
        File.WriteAllText(Path.Combine(aside, Path.GetFileName(Origin)), Path.GetFullPath(from));
        Directory.Move(aside, StartPath);
    }

    /// <summary>Copies the sparse autoencoders to another training.</summary>
    public void CopyAutoencoders(MiniFolder to) => Copy(Files(Autoencoders), Autoencoders, to.Autoencoders);

    private static IEnumerable<string> Files(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories);

    private static void Copy(IEnumerable<string> files, string from, string to)
    {
        foreach (var file in files)
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target, overwrite: true);
        }
    }

    /// <summary>Opens the folder of a model to start from.</summary>
    /// <exception cref="CheckpointException">The folder lacks the model or its autoencoders.</exception>
    public static MiniFolder OpenStart(string from)
    {
        var source = new MiniFolder(from, false);
        foreach (var part in (string[])[source.Model, source.Autoencoders])
            if (!Directory.Exists(part))
                throw new CheckpointException($"'{from}' holds no folder '{Path.GetFileName(part)}'; "
                    + "a training can start from a folder with a model and its autoencoders.");
        return source;
    }

    /// <summary>Reads the weights of a part into tensors, and converts them to their types.</summary>
    /// <exception cref="CheckpointException">A tensor is missing or has another shape.</exception>
    public void ReadPart(string part, IReadOnlyDictionary<string, Tensor> tensors)
    {
        using var noGrad = no_grad();
        using var checkpoint = Checkpoint.OpenFolder(Path.Combine(Model, part));
        foreach (var (name, tensor) in tensors)
            checkpoint.Read(name, tensor);
    }

    /// <summary>Writes the weights of a part in float16.</summary>
    public void WritePart(string part, IReadOnlyDictionary<string, Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        var file = part.StartsWith("text_encoder", StringComparison.Ordinal) ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
        SafetensorsWriter.Write(Path.Combine(Model, part, file),
            tensors.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.detach().to_type(ScalarType.Float16))));
    }
}

/// <summary>Names of the other files in the folder of a training.</summary>
public static class MiniFiles
{
    public const string Options = "options.json", Figures = "figures.json", Features = "features.json", Suggestions = "suggestions.json",
        Concepts = "concepts.json", Atlas = "atlas";
}

/// <summary>The checkpoint of a stage in one file: its tensors, the number of steps, and the options.</summary>
internal sealed class TrainingState(string path, Func<IEnumerable<KeyValuePair<string, Tensor>>> tensors)
{
    private const string StepKey = "step", OptionsKey = "options";

    public string Path => path;

    /// <param name="options">The options as text. A run can continue only with the same ones.</param>
    public void Save(int step, string options)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(path, tensors(), new Dictionary<string, string>
        {
            [StepKey] = step.ToString(CultureInfo.InvariantCulture),
            [OptionsKey] = options,
        });
    }

    /// <summary>Reads the tensors, if there is a file.</summary>
    /// <returns>The number of steps done; 0 if there is no file.</returns>
    /// <exception cref="CheckpointException">The file is broken, or has other options or shapes.</exception>
    public int Restore(string options)
    {
        if (!File.Exists(path))
            return 0;
        using var checkpoint = Open(path, options);
        if (!PlainNumber.TryWhole(checkpoint.Metadata.GetValueOrDefault(StepKey), out int step))
            throw new CheckpointException($"The training state '{path}' lacks the number of its step.");
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (name, tensor) in tensors())
            checkpoint.Read(name, tensor);
        return step;
    }

    /// <summary>Checks that a checkpoint, if there is one, has these options.</summary>
    /// <exception cref="CheckpointException">The file is broken, or has other options.</exception>
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
        throw new CheckpointException($"The training state '{path}' was made with other options; use those, or choose another folder.");
    }
}

/// <summary>A sheet of square pictures in rows, as a PNG.</summary>
/// <param name="tileSize">Side of a picture on the sheet in pixels.</param>
internal sealed class ContactSheet(int tileSize)
{
    private readonly List<Picture> _pictures = [];

    /// <param name="rgb">A square picture, [row, column, colour].</param>
    public void Add(ReadOnlySpan<byte> rgb)
    {
        var side = (int)Math.Sqrt(rgb.Length / 3);
        _pictures.Add(new(side, side, 3, rgb.ToArray()));
    }

    /// <summary>Adds pictures [B, 3, H, W], -1 to 1.</summary>
    public void Add(Tensor images)
    {
        using var scope = NewDisposeScope();
        var bytes = images.Between(-1, 1).Plus(1).Times(127.5).Plus(.5).to_type(ScalarType.Byte).cpu().permute(0, 2, 3, 1).contiguous();
        for (var i = 0; i < bytes.shape[0]; i++)
            Add(bytes[i].contiguous().bytes);
    }

    public void Save(string path, int columns) => AtomicFile.WriteAllBytes(path, Png.Encode(PictureSheet.Of(_pictures, columns, tileSize)));
}
