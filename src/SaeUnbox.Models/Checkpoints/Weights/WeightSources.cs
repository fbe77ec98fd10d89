using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;
using System.Text;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>A source of weights: a checkpoint, a renamed view of one, or a random generator.</summary>
public interface IWeightSource
{
    /// <summary>All names. Strict loading reports those that are not requested.</summary>
    IEnumerable<string> Names { get; }

    /// <summary>Names the source in error messages, for example by its path.</summary>
    string Description { get; }

    bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry);

    /// <summary>
    /// Fills <paramref name="target"/>, which may have any floating-point type, strides and device. Several threads may read at once.
    /// </summary>
    /// <exception cref="CheckpointException">The name is missing, the shape differs, or the data is broken.</exception>
    void Read(string name, torch.Tensor target);

    /// <summary>Where a tensor is in a file; null if it is in none.</summary>
    internal StoredTensor? FindStored(string name) => null;
}

/// <summary>Renames the tensors of a source, for files of older layouts.</summary>
public sealed class RenamedSource : IWeightSource
{
    private readonly IWeightSource _source;
    private readonly Dictionary<string, string> _originals = [];

    /// <param name="rename">Maps an old name to the new one; null drops the tensor.</param>
    /// <exception cref="CheckpointException">Two old names map to the same new one.</exception>
    public RenamedSource(IWeightSource source, Func<string, string?> rename)
    {
        _source = source;
        foreach (var original in source.Names)
            if (rename(original) is { } name && !_originals.TryAdd(name, original))
                throw new CheckpointException(
                    $"{source.Description} has both '{_originals[name]}' and '{original}', which are two names of one tensor.");
    }

    public IEnumerable<string> Names => _originals.Keys;

    public string Description => _source.Description;

    /// <summary>Renames the attention weights of older autoencoders (query, key, value, proj_attn) to the current names.</summary>
    public static IWeightSource WithPresentAttentionNames(IWeightSource source) => new RenamedSource(source, PresentAttentionName);

    /// <summary>The current name of an autoencoder's tensor.</summary>
    internal static string PresentAttentionName(string name)
    {
        var parts = name.Split('.');
        if (parts is not [.., "attentions", _, _, _])
            return name;
        var present = parts[^2] switch
        {
            "query" => "to_q",
            "key" => "to_k",
            "value" => "to_v",
            "proj_attn" => "to_out.0",
            var other => other,
        };
        return string.Join('.', [.. parts[..^2], present, parts[^1]]);
    }

    public bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry)
    {
        entry = null;
        if (!_originals.TryGetValue(name, out var original) || !_source.TryFind(original, out var found))
            return false;
        entry = found with { Name = name };
        return true;
    }

    StoredTensor? IWeightSource.FindStored(string name) =>
        _originals.TryGetValue(name, out var original) ? _source.FindStored(original) : null;

    public void Read(string name, torch.Tensor target) => _source.Read(_originals.TryGetValue(name, out var original)
        ? original : throw new CheckpointException($"{Description} holds no tensor '{name}'."), target);
}

/// <summary>
/// Random weights, for benchmarks and to start training: biases are 0, norm weights 1, and all others normal with variance 1 / fan-in.
/// It has every name in every shape. Each tensor depends only on the seed and its name, not on the order of reading.
/// </summary>
/// <param name="absent">Names that it does not have, such as optional parts; null for none.</param>
public sealed class RandomWeights(long seed, Func<string, bool>? absent = null) : IWeightSource
{
    /// <summary>
    /// How many values to draw for a tensor before repeating them; by default all. A benchmark of a full U-Net (2.6 billion values) sets a
    /// smaller number, because drawing would take longer than the rest.
    /// </summary>
    public long Drawn { get; init; } = long.MaxValue;

    public IEnumerable<string> Names => [];

    public string Description => $"random weights of seed {seed}";

    public bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry)
    {
        entry = absent?.Invoke(name) == true ? null : new TensorEntry(name, ElementType.F32, TensorEntry.AnyShape);
        return entry is not null;
    }

    public void Read(string name, torch.Tensor target)
    {
        using var _ = torch.no_grad();
        if (name.EndsWith("bias", StringComparison.Ordinal) || !torch.is_floating_point(target.dtype))
            target.Fill(0);
        else if (target.dim() < 2)
            target.Fill(1);
        else
            Draw(name, target);
    }

    private void Draw(string name, torch.Tensor target)
    {
        var spread = Math.Sqrt((double)target.shape[0] / target.numel());
        var mixed = (ulong)seed ^ XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(name));
        using var generator = new torch.Generator(mixed & long.MaxValue);
        using var scope = torch.NewDisposeScope();
        var draw = torch.randn([Math.Min(target.numel(), Drawn)], dtype: torch.float32, generator: generator).MultiplyInPlace(spread);
        Slabs.ForEach(target, draw.numel(), slab => slab.copy_(draw.narrow(0, 0, slab.numel()).view(slab.shape)));
    }
}

/// <summary>
/// Finds a model's weights in what training scripts save: a state dict beside an optimizer, or names with the prefix that DataParallel
/// (<c>module.</c>) or torch.compile (<c>_orig_mod.</c>) adds.
/// </summary>
public static class StateDicts
{
    private static readonly string[] Containers = ["state_dict", "model_state_dict", "model"];
    private static readonly string[] Prefixes = ["module.", "_orig_mod."];

    /// <summary>Parts of a first key that mark what training keeps beside the model. Anything else counts as part of the model.</summary>
    private static readonly string[] TrainingMarks =
    [
        "optim", "sched", "ema", "scaler", "callback", "loops", "rng", "random", "step", "epoch", "loss", "metric", "args", "config",
        "hyper_parameters", "hparams",
    ];

    /// <summary>The weights under their own names; the source itself if it has nothing around them.</summary>
    /// <param name="source">A checkpoint, or a renamed view of one.</param>
    /// <param name="note">Called with a sentence about what was left out and stripped; not called if nothing was.</param>
    public static IWeightSource Unwrap(IWeightSource source, Action<string>? note = null)
    {
        var names = source.Names.ToList();
        var container = Array.Find(Containers, key => IsContainer(names, key));
        var (start, leftOut) = ("", Array.Empty<string>());
        if (container is not null)
        {
            start = $"{container}.";
            leftOut = [.. names.Where(name => !Starts(name, start)).Select(FirstKey).Distinct().Order(StringComparer.Ordinal)];
            names.RemoveAll(name => !Starts(name, start));
        }
        var prefix = start;
        while (Array.Find(Prefixes, next => names.Count > 0 && names.TrueForAll(name => Starts(name, prefix + next))) is { } shared)
            prefix += shared;
        if (prefix.Length == 0)
            return source;

        note?.Invoke(Describe(source.Description, container, leftOut, prefix[start.Length..]));
        return new RenamedSource(source, name => Starts(name, prefix) ? name[prefix.Length..] : null);
    }

    /// <summary>All names outside the container belong to training, not to the model.</summary>
    private static bool IsContainer(List<string> names, string key) => names.Exists(name => Starts(name, $"{key}."))
        && names.TrueForAll(name => FirstKey(name) is var first && (first == key
            || Array.Exists(TrainingMarks, mark => first.Contains(mark, StringComparison.OrdinalIgnoreCase))));

    private static string Describe(string source, string? container, string[] leftOut, string prefix)
    {
        var text = $"{source}: the weights are taken";
        if (container is not null)
            text += $" from '{container}'";
        if (leftOut.Length > 0)
            text += $", without {string.Join(", ", leftOut)}";
        if (prefix.Length > 0)
            text += $", and '{prefix}' before their names is stripped";
        return text + ".";
    }

    private static string FirstKey(string name) => name.Split('.', 2)[0];

    private static bool Starts(string name, string prefix) => name.StartsWith(prefix, StringComparison.Ordinal);
}
