using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// The dtype numbers are rounded to, and the one the arithmetic runs in. They differ for float16 on a CPU, which has no float16
/// kernels: weights and noise are rounded to float16 there, and everything is computed in float32.
/// </summary>
/// <param name="Storage">Weights and noise hold numbers of this dtype.</param>
/// <param name="Arithmetic">Tensors are of this dtype.</param>
/// <param name="Device">Where the tensors are.</param>
public sealed record Precision(ScalarType Storage, ScalarType Arithmetic, Device Device)
{
    /// <summary>Told of the elements of every tensor that is loaded; what it throws ends the loading.</summary>
    internal Action<long>? OnRead { get; init; }

    /// <exception cref="ModelException">The dtype is none of float32, bfloat16 and float16.</exception>
    public static Precision For(ScalarType dtype, Device device) => dtype switch
    {
        ScalarType.Float16 when device.type == DeviceType.CPU => new(dtype, ScalarType.Float32, device),
        ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 => new(dtype, dtype, device),
        _ => throw new ModelException($"The dtype must be float32, bfloat16 or float16, and is {dtype}."),
    };

    /// <summary>The tensor rounded, converted and moved.</summary>
    public Tensor Place(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.to_type(Storage).to(Arithmetic, Device).MoveToOuterDisposeScope();
    }

    /// <summary>Builds a module and loads its weights; they live until the returned tree is disposed.</summary>
    public (T Module, Weights Weights) Load<T>(IWeightSource source, Func<Weights, T> build)
    {
        var weights = new Weights(source, Arithmetic, Device);
        T module;
        try
        {
            module = build(weights);
            weights.Load(OnRead);
        }
        catch
        {
            weights.Dispose();
            throw;
        }

        if (Storage != Arithmetic)
        {
            foreach (var leaf in weights.Leaves)
            {
                using var rounded = leaf.to_type(Storage);
                leaf.copy_(rounded);
            }
        }

        return (module, weights);
    }
}
