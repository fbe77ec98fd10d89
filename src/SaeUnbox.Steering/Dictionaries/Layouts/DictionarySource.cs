using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

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

    /// <summary>k from the caller, the tensor k, or the configuration, in this order.</summary>
    public int K(JsonConfig? config, int features)
    {
        var stored = HasScalar("k") ? Whole("k", Numbers("k")[0]) : (int?)null;
        var k = AskedK ?? stored ?? Stated(config, "k") ?? Stated(Config, "k")
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

/// <summary>The files of one dictionary.</summary>
/// <param name="Weights">A checkpoint with its tensors.</param>
/// <param name="Config">Its configuration; null if there is none.</param>
/// <param name="Scales">Possible places of <c>mean.pt</c>, in order of preference.</param>
internal sealed partial record DictionaryFiles(string Weights, string? Config, IReadOnlyList<ScaleFiles> Scales)
{
    private const string ReferenceConfig = "config.json", OtherConfig = "cfg.json";
    private const int MaxShown = 6;
    private const long LargestConfig = 1 << 20;

    // In order of preference. The second name is that for programs that do not read pickles.
    private static readonly string[] WeightNames =
        [
            "state_dict.pth",
            "sae_weights.safetensors",
            "sae.safetensors",
            "ae.pt",
            "model.safetensors",
            "state_dict.safetensors",
            "state_dict.pt"
        ];

    private static readonly string[] Endings = [".safetensors", ".pt", ".pth", ".bin"];

    /// <summary>
    /// Finds the files, given their folder, its parent (if the folder is named <c>final</c>), or a checkpoint with
    /// <c>NAME.config.json</c>, <c>config.json</c> or <c>cfg.json</c> beside it.
    /// </summary>
    public static DictionaryFiles Find(string path)
    {
        if (File.Exists(path))
            return FromFile(path);
        if (!Directory.Exists(path))
            throw new SaeException($"{path}: there is no such file or folder.");
        return TryFolder(path) ?? TryFolder(Path.Combine(path, "final")) ?? TryOnlyFile(path)
            ?? throw new SaeException($"{path}: no dictionary is here or in final/; {Contents(path)}; expected one of "
                + $"{string.Join(", ", WeightNames)} with its {ReferenceConfig} or {OtherConfig}.");
    }

    /// <summary>The files in a folder with a known weights file; null if there is none.</summary>
    public static DictionaryFiles? TryFolder(string folder) =>
        WeightNames.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists) is { } weights
            ? new(weights, ConfigIn(folder), [ScaleFiles.In(folder)])
            : null;

    /// <summary>The files in a folder with a single checkpoint of any name; null otherwise.</summary>
    public static DictionaryFiles? TryOnlyFile(string folder)
    {
        var files = Directory.EnumerateFiles(folder).Where(IsCheckpoint).Take(2).ToArray();
        return files.Length == 1 ? new(files[0], ConfigIn(folder), [ScaleFiles.In(folder)]) : null;
    }

    /// <summary>Whether a file name may be that of a dictionary's weights.</summary>
    public static bool IsCheckpoint(string path)
    {
        var name = Path.GetFileName(path);
        return Endings.Any(ending => name.EndsWith(ending, StringComparison.OrdinalIgnoreCase)) && !ScaleFiles.IsOne(name);
    }

    /// <summary>The content of a folder, for messages.</summary>
    public static string Contents(string folder)
    {
        var names = Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal)
            .Select(path => Path.GetFileName(path) + (Directory.Exists(path) ? "/" : "")).ToArray();
        return names.Length == 0 ? "it is empty"
            : "it holds " + string.Join(", ", names.Take(MaxShown))
                + (names.Length > MaxShown ? $" and {names.Length - MaxShown} more" : "");
    }

    /// <summary>The site that the configuration names, by any of the keys in use; null for none.</summary>
    public Site? SiteOfConfig()
    {
        if (Config is null || new FileInfo(Config).Length > LargestConfig)
            return null;
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(Config));
            return HookNames(json.RootElement, 0).Select(SiteIn).FirstOrDefault(site => site is not null);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static DictionaryFiles FromFile(string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        var stem = Path.GetFileNameWithoutExtension(path);
        var own = Path.Combine(folder, $"{stem}.{ReferenceConfig}");
        // Files named by site share a folder, so only files with the same prefix belong together.
        return SaeFolderName.TryParse(stem, out _)
            ? new(path, File.Exists(own) ? own : null, [ScaleFiles.Beside(path)])
            : new(path, File.Exists(own) ? own : ConfigIn(folder), [ScaleFiles.Beside(path), ScaleFiles.In(folder)]);
    }

    private static string? ConfigIn(string folder) =>
        new[] { OtherConfig, ReferenceConfig }.Select(name => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    private static IEnumerable<string> HookNames(JsonElement value, int depth)
    {
        if (value.ValueKind != JsonValueKind.Object || depth > 3)
            yield break;
        foreach (var entry in value.EnumerateObject())
        {
            if (entry.Value.ValueKind == JsonValueKind.String
                && entry.Name is "hook_name" or "hook_point" or "hookpoint" or "submodule_name" or "site")
                yield return entry.Value.GetString()!;
            if (entry.Name is "metadata" or "meta" or "trainer" or "buffer" or "cfg")
                foreach (var name in HookNames(entry.Value, depth + 1))
                    yield return name;
        }
    }

    private static Site? SiteIn(string text) =>
        Site.TryParse(text, out var site) || Site.TryParseModulePath("unet." + ModulePath().Match(text).Value, out site) ? site : null;

    [GeneratedRegex(@"((down_blocks|up_blocks)\.\d+|mid_block)\.attentions\.\d+", RegexOptions.CultureInvariant)]
    private static partial Regex ModulePath();
}

/// <summary>The files of the means and standard deviations of a dictionary's features.</summary>
internal sealed record ScaleFiles(string Mean, string Deviation)
{
    public static ScaleFiles In(string folder) => new(Path.Combine(folder, "mean.pt"), Path.Combine(folder, "std.pt"));

    /// <summary><c>NAME.mean.pt</c> and <c>NAME.std.pt</c> beside the file NAME.*.</summary>
    public static ScaleFiles Beside(string file)
    {
        var stem = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file))!, Path.GetFileNameWithoutExtension(file));
        return new(stem + ".mean.pt", stem + ".std.pt");
    }

    public static bool IsOne(string name) => name is "mean.pt" or "std.pt"
        || name.EndsWith(".mean.pt", StringComparison.Ordinal) || name.EndsWith(".std.pt", StringComparison.Ordinal);
}
