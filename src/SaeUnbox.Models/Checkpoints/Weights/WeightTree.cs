using System.Runtime.ExceptionServices;
using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>The state shared by all nodes of a tree of weights: the source, the requested tensors, and the mismatches.</summary>
/// <param name="int8">Which weights are rounded to int8, by full name; null for none.</param>
/// <param name="mapped">A file that holds the tensors, in the order of request; null to allocate and read them.</param>
internal sealed class WeightTree(IWeightSource source, torch.ScalarType dtype, torch.Device device, Func<string, bool>? int8,
    MappedWeights? mapped) : IDisposable
{
    private const int MaxMissing = 10_000;

    private readonly OrderedDictionary<string, torch.Tensor> _tensors = [];
    private readonly List<torch.Tensor> _leaves = [];
    private readonly Dictionary<string, Int8Kernel> _int8 = [];
    private readonly List<torch.Tensor> _kept = [];
    private readonly HashSet<string> _ignored = [];
    private readonly List<string> _missing = [];
    private readonly List<string> _misshapen = [];
    private readonly List<string> _integers = [];

    public IWeightSource Source => source;
    public torch.ScalarType DType => dtype;
    public torch.Device Device => device;
    public IReadOnlyDictionary<string, torch.Tensor> Tensors => _tensors;
    public IReadOnlyList<torch.Tensor> Leaves => _leaves;

    /// <summary>Names, types, shapes and order of all tensors, as text.</summary>
    public string Layout => string.Join('\n', _tensors.Select(pair => Describe(pair.Key, pair.Value))
        .Concat(_leaves.Select(leaf => Describe("", leaf))));

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
        RequireFit();
        ReadAll(device.type == DeviceType.CPU ? Threads.Count : 1, onRead);
    }

    /// <summary>Checks that the requested names and shapes are exactly those of the source.</summary>
    public void RequireFit()
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
    }

    /// <summary>Keeps a tensor that was computed from the weights until they are disposed.</summary>
    public torch.Tensor Keep(torch.Tensor tensor)
    {
        _kept.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    public void Dispose()
    {
        var parts = _int8.Values.SelectMany(kernel => new[] { kernel.Scales, kernel.Sums });
        foreach (var tensor in _tensors.Values.Concat(parts).Concat(_kept))
            tensor.Dispose();
        foreach (var leaf in _leaves)
            leaf.Dispose();
        mapped?.Dispose();
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
        strides ??= StoredTensor.RowMajor(shape);
        var tensor = !fits ? Placeholder(type, shape)
            : mapped is null ? torch.empty_strided(shape, strides, dtype: type, device: device)
            : mapped.Take(type, shape, strides) ?? Placeholder(type, shape);
        _leaves.Add(tensor.DetachFromDisposeScope());
        return tensor;
    }

    private torch.Tensor Placeholder(torch.ScalarType type, long[] shape)
    {
        using var one = torch.empty(Array.Empty<long>(), dtype: type, device: device);
        return one.expand(shape);
    }

    private static string Describe(string name, torch.Tensor tensor) =>
        $"{name} {tensor.dtype} {Shapes.Text(tensor.shape)} {Shapes.Text(tensor.stride())}";

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
