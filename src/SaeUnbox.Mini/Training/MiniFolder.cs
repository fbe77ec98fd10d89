using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>The folder of a training run: states to resume from, sheets of samples, and the model in diffusers' layout.</summary>
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

    /// <summary>What SdxlPipeline.Load opens.</summary>
    public string Model => Path.Combine(_root, "model");

    /// <summary>What <c>--saes</c> takes.</summary>
    public string Autoencoders => Path.Combine(_root, "saes");

    public string Figures => Path.Combine(_root, MiniFiles.Figures);

    public string Atlas => Path.Combine(_root, MiniFiles.Atlas);

    /// <summary>The label heads of training, which a further training goes on from.</summary>
    public string Heads => Path.Combine(_root, "heads.safetensors");

    /// <summary>The model that training began with; null where it begins with random weights.</summary>
    public MiniFolder? Start => Directory.Exists(StartPath) ? new MiniFolder(StartPath, false) : null;

    // Where the copied model was.
    private string Origin => Path.Combine(StartPath, "origin");

    private string StartPath => Path.Combine(_root, "states", "start");

    /// <summary>What the sites did in drawn pictures.</summary>
    public string Activations => Path.Combine(_root, "states", "activations");

    /// <summary>States and logs of the autoencoders' training.</summary>
    public string AutoencoderStates => Path.Combine(_root, "states", "autoencoders");

    public string State(string stage) => Path.Combine(_root, "states", stage + ".safetensors");

    public string Sheet(string stage, int step) => Path.Combine(_root, "samples", $"{stage}-{step:d6}.png");

    /// <summary>Keeps a copy of the model to begin with, so that a stopped run goes on the same whatever becomes of the original.</summary>
    /// <param name="from">A folder of such a run, or of the model that ships: with model and saes.</param>
    /// <exception cref="CheckpointException">The folder holds no model and autoencoders, or the run began with another or with random weights.</exception>
    public void TakeStart(string from)
    {
        var source = OpenStart(from);
        if (Start is not null)
        {
            var origin = File.Exists(Origin) ? File.ReadAllText(Origin) : "another folder";
            if (origin != Path.GetFullPath(from))
                throw new CheckpointException($"The training in '{_root}' began with the model in {origin}, not in '{from}'; leave --from out to go on, or give another folder.");
            return;
        }
        if (Directory.EnumerateFiles(Path.Combine(_root, "states"), "*.safetensors").Any())
            throw new CheckpointException($"The training in '{_root}' has begun with random weights; to go on from '{from}', give another folder.");
        var aside = StartPath + ".part";
        if (Directory.Exists(aside))
            Directory.Delete(aside, true);
        foreach (var file in Files(source.Model).Concat(Files(source.Autoencoders)).Concat(File.Exists(source.Heads) ? [source.Heads] : []))
        {
            var target = Path.Combine(aside, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
        File.WriteAllText(Path.Combine(aside, Path.GetFileName(Origin)), Path.GetFullPath(from));
        Directory.Move(aside, StartPath);

        static IEnumerable<string> Files(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories);
    }

    /// <exception cref="CheckpointException">The folder holds no model and autoencoders to go on from.</exception>
    public static MiniFolder OpenStart(string from)
    {
        var source = new MiniFolder(from, false);
        foreach (var part in (string[])[source.Model, source.Autoencoders])
            if (!Directory.Exists(part))
                throw new CheckpointException($"'{from}' holds no folder '{Path.GetFileName(part)}': a training goes on from a folder with a model and its autoencoders.");
        return source;
    }

    /// <summary>Reads a part's weights, converted to the tensors' type.</summary>
    /// <exception cref="CheckpointException">A tensor is missing or of another shape.</exception>
    public void ReadPart(string part, IReadOnlyDictionary<string, Tensor> tensors)
    {
        using var noGrad = no_grad();
        using var checkpoint = Checkpoint.OpenFolder(Path.Combine(Model, part));
        foreach (var (name, tensor) in tensors)
            checkpoint.Read(name, tensor);
    }

    /// <summary>Writes a part's weights in float16.</summary>
    public void WritePart(string part, IReadOnlyDictionary<string, Tensor> tensors)
    {
        using var scope = NewDisposeScope();
        var file = part.StartsWith("text_encoder", StringComparison.Ordinal) ? "model.safetensors" : "diffusion_pytorch_model.safetensors";
        SafetensorsWriter.Write(Path.Combine(Model, part, file), tensors.Select(pair => KeyValuePair.Create(pair.Key, pair.Value.detach().to_type(ScalarType.Float16))));
    }
}

/// <summary>Names of what lies in a training's folder beside model and saes: what is known of them, and made anew with them.</summary>
public static class MiniFiles
{
    public const string Options = "options.json", Figures = "figures.json", Names = "names.json", Suggestions = "suggestions.json", Atlas = "atlas";
}

/// <summary>All tensors of a stage and its step count in one file, written whole or not at all.</summary>
internal sealed class TrainingState(string path, Func<IEnumerable<KeyValuePair<string, Tensor>>> tensors)
{
    private const string StepKey = "step", OptionsKey = "options";

    public string Path => path;

    /// <param name="options">The options of the run as text: a run goes on only with those it began with.</param>
    public void Save(int step, string options)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(path, tensors(), new Dictionary<string, string>
        {
            [StepKey] = step.ToString(CultureInfo.InvariantCulture), [OptionsKey] = options,
        });
    }

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
        using var scope = NewDisposeScope();
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

/// <summary>Square pictures side by side in rows, as a PNG.</summary>
/// <param name="tileSize">Side of a picture on the sheet, in pixels.</param>
internal sealed class ContactSheet(int tileSize)
{
    private readonly List<Picture> _pictures = [];

    /// <param name="rgb">[row, column, colour] of a square picture.</param>
    public void Add(ReadOnlySpan<byte> rgb)
    {
        var side = (int)Math.Sqrt(rgb.Length / 3);
        _pictures.Add(new(side, side, 3, rgb.ToArray()));
    }

    /// <summary>Adds images [B, 3, H, W] from -1 to 1.</summary>
    public void Add(Tensor images)
    {
        using var scope = NewDisposeScope();
        var bytes = images.Between(-1, 1).Plus(1).Times(127.5).Plus(.5).to_type(ScalarType.Byte).cpu().permute(0, 2, 3, 1).contiguous();
        for (var i = 0; i < bytes.shape[0]; i++)
            Add(bytes[i].contiguous().bytes);
    }

    public void Save(string path, int columns) => AtomicFile.WriteAllBytes(path, Png.Encode(PictureSheet.Of(_pictures, columns, tileSize)));
}
