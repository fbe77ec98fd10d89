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
