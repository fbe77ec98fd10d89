using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>
/// The sparse part of an autoencoder's arithmetic. Only the pre-activations are a dense product; everything after the
/// top-k touches k of n features per row.
/// </summary>
internal interface ISparseKernels
{
    /// <summary>Reconstructions by each prefix of the dictionary: [groups, rows, d].</summary>
    Tensor Decode(ActiveEntries entries, Tensor dictionary, Tensor bias, Nesting nesting);

    /// <summary>For each entry the product of its row's upstream gradient with its feature's direction: [m].</summary>
    /// <param name="upstream">[groups, rows, d]: for group g, the gradient of all reconstructions that hold it.</param>
    Tensor EntryGradients(ActiveEntries entries, Tensor dictionary, Tensor upstream, Nesting nesting);

    /// <summary>
    /// One step of encoder and dictionary: gradients from the entries, directions to unit length, the parallel part of
    /// their gradients removed, Adam.
    /// </summary>
    void UpdateWeights(WeightUpdate update);

    /// <summary>One Adam step of a vector.</summary>
    void UpdateVector(Tensor parameter, Tensor gradient, AdamMoments moments, AdamStep step);
}

/// <summary>The two running moments of one parameter, of its shape.</summary>
internal sealed record AdamMoments(Tensor First, Tensor Second) : IDisposable
{
    public static AdamMoments Like(Tensor parameter) => new(
        zeros_like(parameter).DetachFromDisposeScope(),
        zeros_like(parameter).DetachFromDisposeScope());

    public void Dispose()
    {
        First.Dispose();
        Second.Dispose();
    }
}

/// <summary>What one step of the two matrices needs.</summary>
/// <param name="Centred">x - b_pre, [rows, d].</param>
/// <param name="Upstream">Gradients of the reconstructions by group, [groups, rows, d].</param>
/// <param name="PreActivationGradients">[m]: the gradient of each entry's pre-activation.</param>
/// <param name="Dead">Features with a further dense gradient, [q] int64, or null.</param>
/// <param name="DeadEncoder">Their encoder gradient [q, d].</param>
/// <param name="DeadDictionary">Their dictionary gradient [q, d].</param>
internal sealed record WeightUpdate(
    ActiveEntries Entries,
    Nesting Nesting,
    Tensor Centred,
    Tensor Upstream,
    Tensor PreActivationGradients,
    Tensor? Dead,
    Tensor? DeadEncoder,
    Tensor? DeadDictionary,
    Tensor EncoderWeight,
    Tensor Dictionary,
    AdamMoments EncoderMoments,
    AdamMoments DictionaryMoments,
    AdamStep Adam);

internal static class SparseKernels
{
    private static readonly CpuKernels Cpu = new();
    private static readonly TensorKernels Tensors = new();

    /// <summary>Vectorised loops over memory on the CPU, tensor operators elsewhere.</summary>
    public static ISparseKernels For(Device device) => device.type == DeviceType.CPU ? Cpu : Tensors;
}
