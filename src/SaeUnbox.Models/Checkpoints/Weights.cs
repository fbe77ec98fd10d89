using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;
using System.Runtime.ExceptionServices;
using System.Text;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>
/// A node in a tree of weights. Each module requests its tensors by name and shape, relative to its node, so that names in the file, the
/// classes and error messages agree. At the end, <see cref="Load"/> fills all tensors.
/// </summary>
/// <remarks>The tensors live until <see cref="Dispose"/>; dispose scopes do not free them.</remarks>
public sealed class Weights : IDisposable
{
    private readonly WeightTree _tree;

    /// <param name="dtype">Type of the tensors; values of other types are converted.</param>
    /// <param name="device">Null for the CPU.</param>
    /// <param name="int8">
    /// Which matrices and kernels, by full name, are rounded to int8 with a scale per output; null for none. On the CPU only.
    /// </param>
    public Weights(IWeightSource source, torch.ScalarType dtype, torch.Device? device = null, Func<string, bool>? int8 = null)
        : this(new WeightTree(source, dtype, device ?? torch.CPU, int8), "") { }

    private Weights(WeightTree tree, string path) => (_tree, Path) = (tree, path);

    /// <summary>Dotted path of this node; empty at the root.</summary>
    public string Path { get; }

    /// <summary>Default type of tensors.</summary>
    public torch.ScalarType DType => _tree.DType;

    public torch.Device Device => _tree.Device;

    /// <summary>Tensors by full name, in the order of request. Parts of a fused tensor are views. Use this for saving.</summary>
    public IReadOnlyDictionary<string, torch.Tensor> Tensors => _tree.Tensors;

    /// <summary>The allocated tensors, with a fused one listed once. Use this for training.</summary>
    public IReadOnlyList<torch.Tensor> Leaves => _tree.Leaves;

    /// <summary>A node below this one, such as <c>At("resnets.0")</c>.</summary>
    public Weights At(string path) => new(_tree, Full(path));

    /// <summary>Requests a tensor of the default type. <see cref="Load"/> fills it.</summary>
    public torch.Tensor Get(string name, params long[] shape) => Get(name, _tree.DType, shape);

    /// <summary>Requests a tensor of another type, such as a norm kept in float32.</summary>
    public torch.Tensor Get(string name, torch.ScalarType dtype, params long[] shape) => _tree.Get(Full(name), dtype, shape);

    /// <summary>Requests a convolution kernel of shape [out, in, height, width], stored channels-last.</summary>
    public torch.Tensor GetChannelsLast(string name, long outChannels, long inChannels, long height, long width) => _tree.Get(
        Full(name), _tree.DType,
        [outChannels, inChannels, height, width], [height * width * inChannels, 1, width * inChannels, inChannels]);

    /// <summary>Requests a square convolution kernel in int8; null if it is to be stored in the default type.</summary>
    internal Int8Kernel? FindInt8Kernel(string name, long outChannels, long inChannels, long side) => _tree.IsInt8(Full(name))
        ? _tree.GetInt8([Full(name)], [outChannels, inChannels, side, side])
        : null;

    /// <summary>
    /// Requests a matrix of weights, made of matrices of one shape, one below the other (such as queries, keys and values).
    /// </summary>
    internal WeightMatrix GetMatrix(string[] names, params long[] shapeOfEach)
    {
        if (Array.TrueForAll(names, name => _tree.IsInt8(Full(name))))
        {
            var (values, scales, _) = _tree.GetInt8(Array.ConvertAll(names, Full), shapeOfEach[..2]);
            return new(values, scales);
        }
        return new(names is [var name] ? Get(name, shapeOfEach) : GetFused(names, shapeOfEach), null);
    }

    /// <summary>
    /// Requests several tensors of one shape as a single tensor, concatenated on axis 0 (such as queries, keys and values).
    /// </summary>
    public torch.Tensor GetFused(string[] names, params long[] shapeOfEach) =>
        _tree.GetFused(Array.ConvertAll(names, Full), _tree.DType, shapeOfEach);

    /// <summary>Requests an optional tensor; null if the source does not have it.</summary>
    public torch.Tensor? Find(string name, params long[] shape) => Has(name) ? Get(name, shape) : null;

    /// <summary>Whether the source has a tensor of this name.</summary>
    public bool Has(string name) => _tree.Source.TryFind(Full(name), out _);

    /// <summary>Declares a tensor that the source may have and that is not used.</summary>
    public void Ignore(string name) => _tree.Ignore(Full(name));

    /// <summary>
    /// Fills all requested tensors. Before it reads any, it checks that the requested names and shapes are exactly those of the source.
    /// </summary>
    /// <param name="onRead">
    /// Called after each tensor with its number of elements, by one thread at a time. An exception from it stops the loading.
    /// </param>
    /// <exception cref="CheckpointException">
    /// Tensors are missing, extra or of the wrong shape (the message lists all), or the data is broken.
    /// </exception>
    public void Load(Action<long>? onRead = null) => _tree.Load(onRead);

    public void Dispose() => _tree.Dispose();

    private string Full(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}

/// <summary>The state shared by all nodes of a tree of weights: the source, the requested tensors, and the mismatches.</summary>
internal sealed class WeightTree(IWeightSource source, torch.ScalarType dtype, torch.Device device, Func<string, bool>? int8) : IDisposable
{
    private const int MaxMissing = 10_000;

    private readonly OrderedDictionary<string, torch.Tensor> _tensors = [];
    private readonly List<torch.Tensor> _leaves = [];
    private readonly Dictionary<string, Int8Kernel> _int8 = [];
    private readonly HashSet<string> _ignored = [];
    private readonly List<string> _missing = [];
    private readonly List<string> _misshapen = [];
    private readonly List<string> _integers = [];

    public IWeightSource Source => source;
    public torch.ScalarType DType => dtype;
    public torch.Device Device => device;
    public IReadOnlyDictionary<string, torch.Tensor> Tensors => _tensors;
    public IReadOnlyList<torch.Tensor> Leaves => _leaves;

    public void Ignore(string name) => _ignored.Add(name);

    public bool IsInt8(string name) => int8?.Invoke(name) == true;

    public torch.Tensor Get(string name, torch.ScalarType type, long[] shape, long[]? strides = null)
    {
        if (_tensors.TryGetValue(name, out var known))
            return Shared(name, known, type, shape);
        var tensor = Allocate(Check(name, shape, type), type, shape, strides);
        _tensors.Add(name, tensor);
        return tensor;
    }

    public torch.Tensor GetFused(string[] names, torch.ScalarType type, long[] shapeOfEach)
    {
        var fits = true;
        foreach (var name in names)
            fits &= Check(name, shapeOfEach, type);
        var fused = Allocate(fits, type, [names.Length * shapeOfEach[0], .. shapeOfEach[1..]]);
        for (var i = 0; i < names.Length; i++)
            _tensors.Add(names[i], fused.narrow(0, i * shapeOfEach[0], shapeOfEach[0]).DetachFromDisposeScope());
        return fused;
    }

    /// <summary>
    /// Matrices [out, in] or kernels [out, in, h, w] on top of each other, in int8 as [N * out, in] or [N * out, h, w, in].
    /// </summary>
    public Int8Kernel GetInt8(string[] names, long[] shapeOfEach)
    {
        var fits = true;
        foreach (var name in names)
            fits &= Check(name, shapeOfEach, dtype);
        long[] order = shapeOfEach is [var outputs, var inputs, var height, var width] ? [outputs, height, width, inputs] : shapeOfEach;
        var values = Allocate(fits, torch.ScalarType.Int8, [names.Length * order[0], .. order[1..]]);
        var (scales, sums) = (OfOutputs(), OfOutputs());
        for (var i = 0; i < names.Length; i++)
        {
            torch.Tensor Part(torch.Tensor whole) => whole.narrow(0, i * order[0], order[0]).DetachFromDisposeScope();
            _tensors.Add(names[i], Part(values));
            _int8.Add(names[i], new(_tensors[names[i]], Part(scales), Part(sums)));
        }
        return new(values, scales, sums);

        torch.Tensor OfOutputs() => Allocate(fits, torch.ScalarType.Float32, [names.Length * order[0]]);
    }

    public void Load(Action<long>? onRead)
    {
        var extra = source.Names.Where(name => !_tensors.ContainsKey(name) && !_ignored.Contains(name)).ToList();
        if (Quantised.Describe(_integers, extra) is { } quantised)
            throw new CheckpointException($"The weights of {source.Description} are quantised, which is not supported: {quantised}; "
                + "take the weights in F32, F16, BF16 or F8.");
        var faults = new List<string>();
        if (_missing.Count > 0)
            faults.Add($"missing ({_missing.Count}): {string.Join(", ", _missing)}");
        if (extra.Count > 0)
            faults.Add($"extra ({extra.Count}): {string.Join(", ", extra)}");
        if (_misshapen.Count > 0)
            faults.Add($"misshapen ({_misshapen.Count}): {string.Join(", ", _misshapen)}");
        if (faults.Count > 0)
            throw new CheckpointException($"The weights of {source.Description} do not fit the model; {string.Join("; ", faults)}.");
        ReadAll(device.type == DeviceType.CPU ? Threads.Count : 1, onRead);
    }

    public void Dispose()
    {
        foreach (var tensor in _tensors.Values.Concat(_int8.Values.SelectMany(kernel => new[] { kernel.Scales, kernel.Sums })))
            tensor.Dispose();
        foreach (var leaf in _leaves)
            leaf.Dispose();
    }

    /// <summary>
    /// Reads the tensors on threads of its own. Reading, converting and the kernel's work on fresh memory take a core each.
    /// </summary>
    private void ReadAll(int threads, Action<long>? onRead)
    {
        var tensors = new Queue<KeyValuePair<string, torch.Tensor>>(_tensors);
        ExceptionDispatchInfo? failure = null;
        // The mode belongs to a thread, and decides which tensors may be written.
        var isInference = torch.is_inference_mode_enabled();
        var readers = Enumerable.Range(1, threads - 1).Select(_ => new Thread(Work)).ToList();
        readers.ForEach(reader => reader.Start());
        Work();
        readers.ForEach(reader => reader.Join());
        failure?.Throw();

        void Work()
        {
            try
            {
                using var mode = torch.inference_mode(isInference);
                while (Next() is var (name, tensor))
                {
                    Read(name, tensor);
                    lock (tensors)
                        if (failure is null)
                            onRead?.Invoke(tensor.numel());
                }
            }
            catch (Exception exception)
            {
                lock (tensors)
                    failure ??= ExceptionDispatchInfo.Capture(exception);
            }
        }

        KeyValuePair<string, torch.Tensor>? Next()
        {
            lock (tensors)
                return failure is null && tensors.TryDequeue(out var next) ? next : null;
        }
    }

    private void Read(string name, torch.Tensor tensor)
    {
        if (_int8.TryGetValue(name, out var kernel))
        {
            using var scope = torch.NewDisposeScope();
            // A kernel is [out, h, w, in] here and [out, in, h, w] in the source.
            var rows = torch.empty(tensor.shape, torch.ScalarType.Float32);
            ReadFloats(name, rows.dim() == 4 ? rows.permute(0, 3, 1, 2) : rows);
            kernel.Fill(rows);
            return;
        }
        ReadFloats(name, tensor);
    }

    private void ReadFloats(string name, torch.Tensor tensor)
    {
        if (!source.TryFind(name, out var entry) || entry.Fits(tensor.shape))
        {
            source.Read(name, tensor);
            return;
        }
        using var stored = tensor.view(entry.Shape);
        source.Read(name, stored);
    }

    /// <summary>Whether the source can fill a tensor of this shape and type. If not, <see cref="Load"/> reports it.</summary>
    private bool Check(string name, long[] shape, torch.ScalarType type)
    {
        if (!source.TryFind(name, out var entry))
            Miss(name);
        else if (torch.is_floating_point(type) && !entry.Element.IsFloatingPoint)
            _integers.Add($"{name} is {entry.Element}");
        else if (!entry.Fits(shape) && !IsSameMatrix(entry.Shape, shape))
            _misshapen.Add($"{name} (is {Shapes.Text(entry.Shape)}, expected {Shapes.Text(shape)})");
        else
            return true;
        return false;
    }

    /// <summary>A matrix [out, in] may be stored as a 1x1 convolution [out, in, 1, 1], and the other way round.</summary>
    private static bool IsSameMatrix(long[] stored, long[] wanted) =>
        stored is [var rows, var columns, 1, 1] && wanted.AsSpan().SequenceEqual([rows, columns])
        || wanted is [var outputs, var inputs, 1, 1] && stored.AsSpan().SequenceEqual([outputs, inputs]);

    // Stops early, so that a hostile configuration with a huge number of layers does not fill the memory.
    private void Miss(string name)
    {
        _missing.Add(name);
        if (_missing.Count > MaxMissing)
            throw new CheckpointException(
                $"The weights of {source.Description} do not fit the model; more than {MaxMissing} tensors are missing, "
                + $"the first {_missing[0]}.");
    }

    /// <summary>Allocates a tensor. If it cannot be filled, it is a single element expanded to the shape, which takes no memory.</summary>
    private torch.Tensor Allocate(bool fits, torch.ScalarType type, long[] shape, long[]? strides = null)
    {
        torch.Tensor tensor;
        if (fits && strides is not null)
            tensor = torch.empty_strided(shape, strides, dtype: type, device: device);
        else if (fits)
            tensor = torch.empty(shape, dtype: type, device: device);
        else
        {
            using var one = torch.empty(Array.Empty<long>(), dtype: type, device: device);
            tensor = one.expand(shape);
        }
        _leaves.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    private static torch.Tensor Shared(string name, torch.Tensor known, torch.ScalarType type, long[] shape) =>
        known.dtype == type && known.shape.SequenceEqual(shape) ? known
            : throw new ArgumentException(
                $"'{name}' is requested twice, as {known.dtype} {Shapes.Text(known.shape)} and as {type} {Shapes.Text(shape)}.");
}

/// <summary>Tells quantised weights, which need scales from the format that wrote them, from plain ones.</summary>
internal static class Quantised
{
    private const int MaxListed = 3;

    /// <summary>Ends of the names that quantising libraries store beside the weights.</summary>
    private static readonly string[] Marks =
    [
        ".SCB", ".absmax", ".quant_map", ".qweight", ".qzeros", ".g_idx", ".scale_weight", ".weight_scale", ".scale_input", ".input_scale",
        ".weight_scale_inv", ".weight_format", ".comfy_quant", "scaled_fp8",
    ];

    /// <summary>What shows that the weights are quantised; null if nothing does.</summary>
    /// <param name="integers">Descriptions of integer tensors where floats are due.</param>
    /// <param name="extra">Names that the model does not need.</param>
    public static string? Describe(IReadOnlyList<string> integers, IReadOnlyList<string> extra)
    {
        var scales = extra.Where(name => Array.Exists(Marks, mark => name.EndsWith(mark, StringComparison.Ordinal))
            || name.Contains(".quant_state.", StringComparison.Ordinal)).ToList();
        if (integers.Count + scales.Count == 0)
            return null;
        var facts = new List<string>();
        if (integers.Count > 0)
            facts.Add($"{Listing.Shorten(integers, MaxListed)}");
        if (scales.Count > 0)
            facts.Add($"scales lie beside them ({Listing.Shorten(scales, MaxListed)})");
        return string.Join("; ", facts);
    }
}

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
