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
        : this(new WeightTree(source, dtype, device ?? torch.CPU, int8, mapped: null), "") { }

    /// <summary>A tree whose tensors lie in a mapped file, which it owns.</summary>
    internal Weights(IWeightSource source, torch.ScalarType dtype, Func<string, bool>? int8, MappedWeights mapped)
        : this(new WeightTree(source, dtype, torch.CPU, int8, mapped), "") { }

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

    /// <summary>Keeps a tensor that was computed from the weights until they are disposed.</summary>
    internal torch.Tensor Keep(torch.Tensor tensor) => _tree.Keep(tensor);

    /// <summary>Names, types, shapes and order of all tensors, as text.</summary>
    internal string Layout => _tree.Layout;

    /// <summary>Checks that the requested names and shapes are exactly those of the source.</summary>
    /// <exception cref="CheckpointException">They are not; the message lists all that differ.</exception>
    internal void RequireFit() => _tree.RequireFit();

    public void Dispose() => _tree.Dispose();

    private string Full(string name) => Path.Length == 0 ? name : $"{Path}.{name}";
}
