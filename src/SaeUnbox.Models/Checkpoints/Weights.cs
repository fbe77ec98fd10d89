using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;
using System.Text;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// A place in a tree of weights. Modules are built under it, so that the path in the file, the name in the class and the name in an
/// error are one; each asks for its tensors by name and shape, and <see cref="Load"/> fills all of them at the end.
/// </summary>
/// <remarks>The tensors live until <see cref="Dispose"/>; no dispose scope takes them.</remarks>
public sealed class Weights : IDisposable
{
    private readonly WeightTree tree;

    /// <param name="source">Where the values come from.</param>
    /// <param name="dtype">Type of the tensors; the source's type is converted on the way.</param>
    /// <param name="device">Where they live; the CPU where none is given.</param>
    public Weights(IWeightSource source, torch.ScalarType dtype, torch.Device? device = null)
        : this(new WeightTree(source, dtype, device ?? torch.CPU), "") { }

    private Weights(WeightTree tree, string path) => (this.tree, Path) = (tree, path);

    /// <summary>The dotted path of this place; empty at the root.</summary>
    public string Path { get; }

    /// <summary>The type of tensors asked for without one.</summary>
    public torch.ScalarType DType => tree.DType;

    public torch.Device Device => tree.Device;

    /// <summary>Full name to tensor, in the order asked for; parts of a fused tensor are views. For saving.</summary>
    public IReadOnlyDictionary<string, torch.Tensor> Tensors => tree.Tensors;

    /// <summary>The tensors that were allocated, a fused one counting once. For training.</summary>
    public IReadOnlyList<torch.Tensor> Leaves => tree.Leaves;

    /// <summary>A place below this one, e.g. <c>At("resnets.0")</c>.</summary>
    public Weights At(string path) => new(tree, Full(path));

    /// <summary>An empty tensor that <see cref="Load"/> fills.</summary>
    public torch.Tensor Get(string name, params long[] shape) => Get(name, tree.DType, shape);

    /// <summary>The same of another type than the rest, such as norms kept in float32.</summary>
    public torch.Tensor Get(string name, torch.ScalarType dtype, params long[] shape) => tree.Get(Full(name), dtype, shape);

    /// <summary>A convolution's kernel, [out, in, height, width] in shape and channels last in memory.</summary>
    public torch.Tensor GetChannelsLast(string name, long outChannels, long inChannels, long height, long width) => tree.Get(
        Full(name), tree.DType, [outChannels, inChannels, height, width], [height * width * inChannels, 1, width * inChannels, inChannels]);

    /// <summary>One tensor of several of the same shape, one after the other on axis 0 (queries, keys and values in one product).</summary>
    public torch.Tensor GetFused(string[] names, params long[] shapeOfEach) => tree.GetFused(Array.ConvertAll(names, Full), tree.DType, shapeOfEach);

    /// <summary>An optional tensor: null where the source has none.</summary>
    public torch.Tensor? Find(string name, params long[] shape) => Has(name) ? Get(name, shape) : null;

    /// <summary>Whether the source has it.</summary>
    public bool Has(string name) => tree.Source.TryFind(Full(name), out _);

    /// <summary>A tensor that may be there and is not used.</summary>
    public void Ignore(string name) => tree.Ignore(Full(name));

    /// <summary>
    /// Fills every tensor asked for. Strict: before anything is read, the names and shapes asked for must be exactly those of the source.
    /// </summary>
    /// <param name="onRead">Told of the elements of every tensor that is in; what it throws ends the loading.</param>
    /// <exception cref="CheckpointException">Lists every missing, extra and misshapen tensor at once; or the data is broken.</exception>
    public void Load(Action<long>? onRead = null) => tree.Load(onRead);

    public void Dispose() => tree.Dispose();

    private string Full(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}

/// <summary>What all places of one tree of weights share: the source, the tensors asked for, and what does not fit.</summary>
internal sealed class WeightTree(IWeightSource source, torch.ScalarType dtype, torch.Device device) : IDisposable
{
    private const int MostMissing = 10_000;

    private readonly OrderedDictionary<string, torch.Tensor> tensors = [];
    private readonly List<torch.Tensor> leaves = [];
    private readonly HashSet<string> ignored = [];
    private readonly List<string> missing = [];
    private readonly List<string> misshapen = [];

    public IWeightSource Source => source;
    public torch.ScalarType DType => dtype;
    public torch.Device Device => device;
    public IReadOnlyDictionary<string, torch.Tensor> Tensors => tensors;
    public IReadOnlyList<torch.Tensor> Leaves => leaves;

    public void Ignore(string name) => ignored.Add(name);

    public torch.Tensor Get(string name, torch.ScalarType type, long[] shape, long[]? strides = null)
    {
        if (tensors.TryGetValue(name, out var known)) return Shared(name, known, type, shape);
        var tensor = Allocate(Check(name, shape), type, shape, strides);
        tensors.Add(name, tensor);
        return tensor;
    }

    public torch.Tensor GetFused(string[] names, torch.ScalarType type, long[] shapeOfEach)
    {
        var fits = true;
        foreach (var name in names) fits &= Check(name, shapeOfEach);
        var fused = Allocate(fits, type, [names.Length * shapeOfEach[0], .. shapeOfEach[1..]]);
        for (var i = 0; i < names.Length; i++)
            tensors.Add(names[i], fused.narrow(0, i * shapeOfEach[0], shapeOfEach[0]).DetachFromDisposeScope());
        return fused;
    }

    public void Load(Action<long>? onRead)
    {
        var extra = source.Names.Where(name => !tensors.ContainsKey(name) && !ignored.Contains(name)).ToList();
        var faults = new List<string>();
        if (missing.Count > 0) faults.Add($"missing ({missing.Count}): {string.Join(", ", missing)}");
        if (extra.Count > 0) faults.Add($"extra ({extra.Count}): {string.Join(", ", extra)}");
        if (misshapen.Count > 0) faults.Add($"misshapen ({misshapen.Count}): {string.Join(", ", misshapen)}");
        if (faults.Count > 0) throw new CheckpointException($"The weights of {source.Description} do not fit the model; {string.Join("; ", faults)}.");
        foreach (var (name, tensor) in tensors)
        {
            source.Read(name, tensor);
            onRead?.Invoke(tensor.numel());
        }
    }

    public void Dispose()
    {
        foreach (var tensor in tensors.Values) tensor.Dispose();
        foreach (var leaf in leaves) leaf.Dispose();
    }

    /// <summary>Whether the source can fill a tensor of this shape; notes it for <see cref="Load"/> where it cannot.</summary>
    private bool Check(string name, long[] shape)
    {
        if (!source.TryFind(name, out var entry)) Miss(name);
        else if (!entry.Fits(shape)) misshapen.Add($"{name} (is {Shapes.Text(entry.Shape)}, expected {Shapes.Text(shape)})");
        else return true;
        return false;
    }

    // Whoever wrote a configuration of endless layers shall not have them all listed.
    private void Miss(string name)
    {
        missing.Add(name);
        if (missing.Count > MostMissing)
            throw new CheckpointException($"The weights of {source.Description} do not fit the model; more than {MostMissing} are missing, the first {missing[0]}.");
    }

    /// <summary>A tensor that will not be filled takes no memory: one element seen at every place.</summary>
    private torch.Tensor Allocate(bool fits, torch.ScalarType type, long[] shape, long[]? strides = null)
    {
        torch.Tensor tensor;
        if (fits && strides is not null) tensor = torch.empty_strided(shape, strides, dtype: type, device: device);
        else if (fits) tensor = torch.empty(shape, dtype: type, device: device);
        else
        {
            using var one = torch.empty(Array.Empty<long>(), dtype: type, device: device);
            tensor = one.expand(shape);
        }
        leaves.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    private static torch.Tensor Shared(string name, torch.Tensor known, torch.ScalarType type, long[] shape) =>
        known.dtype == type && known.shape.SequenceEqual(shape) ? known
            : throw new ArgumentException($"'{name}' is asked for twice, as {known.dtype} {Shapes.Text(known.shape)} and as {type} {Shapes.Text(shape)}.");
}

/// <summary>Where weights come from: a checkpoint, a renamed view of one, or a random generator.</summary>
public interface IWeightSource
{
    /// <summary>Every name that is there; strict loading calls the unused ones extra.</summary>
    IEnumerable<string> Names { get; }

    /// <summary>What to call the source in an error, e.g. the file's path.</summary>
    string Description { get; }

    bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry);

    /// <summary>Fills <paramref name="target"/>, of any floating-point type wide or narrow, any strides, any device.</summary>
    /// <exception cref="CheckpointException">The name is missing, the shape differs, or the data is broken.</exception>
    void Read(string name, torch.Tensor target);
}

/// <summary>
/// A source under other names: older files name parts differently, and hold tensors that no longer matter.
/// </summary>
public sealed class RenamedSource : IWeightSource
{
    private readonly IWeightSource source;
    private readonly Dictionary<string, string> originals = [];

    /// <param name="source">The source with the old names.</param>
    /// <param name="rename">The new name of an old one; null where the tensor is to be left out.</param>
    /// <exception cref="CheckpointException">Two old names become one.</exception>
    public RenamedSource(IWeightSource source, Func<string, string?> rename)
    {
        this.source = source;
        foreach (var original in source.Names)
            if (rename(original) is { } name && !originals.TryAdd(name, original))
                throw new CheckpointException($"{source.Description} holds both '{originals[name]}' and '{original}', which are one tensor.");
    }

    public IEnumerable<string> Names => originals.Keys;

    public string Description => source.Description;

    /// <summary>Leaves out <c>position_ids</c>, which older text encoders saved beside their weights.</summary>
    public static IWeightSource WithoutPositionIds(IWeightSource source) =>
        new RenamedSource(source, name => name == "position_ids" || name.EndsWith(".position_ids", StringComparison.Ordinal) ? null : name);

    /// <summary>Gives the attention of older autoencoders its present names (query, key, value, proj_attn).</summary>
    public static IWeightSource WithPresentAttentionNames(IWeightSource source) => new RenamedSource(source, name =>
    {
        var parts = name.Split('.');
        if (parts is not [.., "attentions", _, _, _]) return name;
        var present = parts[^2] switch { "query" => "to_q", "key" => "to_k", "value" => "to_v", "proj_attn" => "to_out.0", var other => other };
        return string.Join('.', [.. parts[..^2], present, parts[^1]]);
    });

    public bool TryFind(string name, [MaybeNullWhen(false)] out TensorEntry entry)
    {
        entry = null;
        if (!originals.TryGetValue(name, out var original) || !source.TryFind(original, out var found)) return false;
        entry = found with { Name = name };
        return true;
    }

    public void Read(string name, torch.Tensor target) => source.Read(originals.TryGetValue(name, out var original)
        ? original : throw new CheckpointException($"{Description} holds no tensor '{name}'."), target);
}

/// <summary>
/// Weights drawn from a seed, for benchmarks and as training's start: biases 0, weights of norms 1, all others normal with variance
/// 1 / fan-in. It has any name in any shape; each tensor depends on the seed and its name alone, not on the order of reading.
/// </summary>
/// <param name="seed">The seed of all draws.</param>
/// <param name="absent">Names it shall not have, such as optional parts; none where null.</param>
public sealed class RandomWeights(long seed, Func<string, bool>? absent = null) : IWeightSource
{
    /// <summary>
    /// Values drawn for a tensor before it repeats itself; all of them by default. A benchmark of a full U-Net (2.6 billion values) sets
    /// less, for drawing takes longer than everything else.
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
        if (name.EndsWith("bias", StringComparison.Ordinal) || !torch.is_floating_point(target.dtype)) target.Fill(0);
        else if (target.dim() < 2) target.Fill(1);
        else Draw(name, target);
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
