using System.Globalization;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>
/// The stored tensors of one dictionary by plain name, and its configuration. Prefixes of training scripts are stripped, and tensors of
/// an optimiser are left out.
/// </summary>
internal sealed class DictionarySource : IDisposable
{
    private static readonly string[] Levels =
        [TensorNames.StateDict + ".", "model_state_dict.", "model.", "module.", "_orig_mod.", "sae.", "autoencoder."];

    private static readonly string[] Others = ["optim", "scheduler", "lr_scheduler", "scaler", "rng_state", "grad_scaler"];

    private readonly Checkpoint _checkpoint;
    private readonly string _prefix;

    private DictionarySource(DictionaryFiles files, Checkpoint checkpoint, int? askedK)
    {
        (Files, _checkpoint, AskedK) = (files, checkpoint, askedK);
        Config = files.Config is { } path ? JsonConfig.Load(path) : null;
        var tensors = checkpoint.Entries
            .Where(pair => !Others.Any(other => pair.Key.StartsWith(other, StringComparison.Ordinal))).ToList();
        _prefix = "";
        while (Levels.FirstOrDefault(level => tensors.Any(Starts(_prefix + level))) is { } next
            && tensors.Count(Starts(_prefix + next)) > tensors.Count / 2)
            _prefix += next;
        Tensors = tensors.ToDictionary(pair => Plain(pair.Key), pair => pair.Value);

        static Func<KeyValuePair<string, TensorEntry>, bool> Starts(string prefix) =>
            pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal);
    }

    public DictionaryFiles Files { get; }

    /// <summary>The configuration; null if there is none.</summary>
    public JsonConfig? Config { get; }

    /// <summary>k as given by the caller; null if not given.</summary>
    public int? AskedK { get; }

    /// <summary>The tensors by plain name.</summary>
    public IReadOnlyDictionary<string, TensorEntry> Tensors { get; }

    public string FileName => Path.GetFileName(Files.Weights);

    public static DictionarySource Open(DictionaryFiles files, int? askedK = null)
    {
        var checkpoint = Checkpoint.Open(files.Weights);
        try
        {
            return new DictionarySource(files, checkpoint, askedK);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    public bool Has(string name) => Tensors.ContainsKey(name);

    /// <summary>Whether a tensor exists and holds one number.</summary>
    public bool HasScalar(string name) => Tensors.TryGetValue(name, out var entry) && entry.Shape.All(size => size == 1);

    /// <summary>Reads a tensor into a float32 target of its shape.</summary>
    public void Read(string name, Tensor target) => _checkpoint.Read(Tensors[name].Name, target);

    /// <summary>The numbers of a small tensor.</summary>
    public double[] Numbers(string name)
    {
        const int most = 4096;
        if (Tensors[name].Count > most)
            throw Broken($"{name} holds {Tensors[name].Count} numbers, at most {most} are expected");
        using var scope = NewDisposeScope();
        var target = empty(Tensors[name].Shape, dtype: ScalarType.Float64);
        Read(name, target);
        return target.reshape(-1).data<double>().ToArray();
    }

    /// <summary>k from the caller, the tensor k, or the key of the configuration, in this order.</summary>
    public int K(JsonConfig? config, int features, string key = "k")
    {
        var stored = HasScalar("k") ? Whole("k", Numbers("k")[0]) : (int?)null;
        var k = AskedK ?? stored ?? Stated(config, key) ?? Stated(Config, "k")
            ?? throw Broken("its files do not tell k, the number of active features per position; give it with --sae-k N, or as "
                + "{\"k\": N} in a config.json beside the weights");
        return k >= 1 && k <= features ? k : throw Broken(string.Create(CultureInfo.InvariantCulture,
            $"k is {k}, it must be 1 to {features}, the number of features"));
    }

    /// <summary>A stored number that must be whole.</summary>
    public int Whole(string name, double number) => double.IsInteger(number) && Math.Abs(number) <= int.MaxValue
        ? (int)number
        : throw Broken(string.Create(CultureInfo.InvariantCulture, $"{name} holds {number}, a whole number is expected"));

    /// <summary>The two sizes of a matrix.</summary>
    public (int Features, int Width) SizeOf(StoredMatrix matrix)
    {
        if (!Tensors.TryGetValue(matrix.Name, out var entry))
            throw Broken($"{matrix.Name} is missing");
        if (entry.Shape is not [var rows, var columns] || rows < 1 || columns < 1 || rows > int.MaxValue || columns > int.MaxValue)
            throw Broken($"{matrix.Name} is [{string.Join(", ", entry.Shape)}], a matrix is expected");
        return matrix.FeaturesFirst ? ((int)rows, (int)columns) : ((int)columns, (int)rows);
    }

    /// <summary>Checks a size that the configuration states against the tensors'.</summary>
    public void RequireSize(JsonConfig? config, string key, int actual)
    {
        if (config?.Find(key) is not null && config.Integer(key) is var stated && stated != actual)
            throw Broken($"the configuration says that {key} is {stated}, the tensors say {actual}");
    }

    /// <summary>The exception for files that cannot be used: "{weights}: {problem}."</summary>
    public SaeException Broken(string problem) => new($"{Files.Weights}: {problem}.");

    public void Dispose() => _checkpoint.Dispose();

    private static int? Stated(JsonConfig? config, string key) => config?.Find(key) is null ? null : config.Integer(key);

    private string Plain(string name) => name.StartsWith(_prefix, StringComparison.Ordinal) ? name[_prefix.Length..] : name;
}
