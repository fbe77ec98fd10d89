using TorchSharp;

namespace SaeUnbox.Models;

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
