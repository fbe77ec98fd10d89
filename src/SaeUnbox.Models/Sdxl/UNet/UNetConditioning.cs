using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// What a prompt gives to every step: the text's keys and values of every cross attention, and the embedding of pooled text and
/// sizes. Made once by <see cref="UNet.Prepare(Tensor, Tensor, Tensor)"/>; states taken with it need it until they are disposed.
/// </summary>
public sealed class UNetConditioning : IDisposable
{
    internal UNetConditioning(long batch, Tensor addition, IReadOnlyDictionary<string, IReadOnlyList<Tensor>> keyValues)
    {
        Batch = batch;
        Addition = addition.DetachFromDisposeScope();
        KeyValues = keyValues;
        foreach (var tensor in keyValues.Values.SelectMany(list => list))
        {
            tensor.DetachFromDisposeScope();
        }
    }

    /// <summary>How many pictures it is for.</summary>
    public long Batch { get; }

    /// <summary>[B, time channels], added to the embedding of the timestep.</summary>
    internal Tensor Addition { get; }

    /// <summary>By site, in the order of its basic blocks: [B, T, 2C].</summary>
    internal IReadOnlyDictionary<string, IReadOnlyList<Tensor>> KeyValues { get; }

    public void Dispose()
    {
        Addition.Dispose();
        foreach (var tensor in KeyValues.Values.SelectMany(list => list))
        {
            tensor.Dispose();
        }
    }
}
