using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// The type that weights and noise are rounded to, and the type of the tensors. They differ only for float16 on a CPU, which has no float16
/// kernels: weights and noise are rounded to float16, but stored and computed with in float32.
/// </summary>
/// <param name="Storage">The type that weights and noise are rounded to.</param>
/// <param name="Arithmetic">The type of the tensors.</param>
/// <param name="Device">The device of the tensors.</param>
public sealed record Precision(ScalarType Storage, ScalarType Arithmetic, Device Device)
{
    /// <summary>Whether networks of layers keep their matrices in int8 (<see cref="Int8Weights"/>); autoencoders do not.</summary>
    public bool IsInt8 { get; init; }

    /// <summary>Called with the number of elements of each tensor after it is loaded. An exception from it stops the loading.</summary>
    internal Action<long>? OnRead { get; init; }

    /// <summary>Called with a sentence if weights were found under other names than their own.</summary>
    internal Action<string>? Note { get; init; }

    /// <summary>Whether the half-precision file is the better one of a folder that has both.</summary>
    internal bool PrefersHalf => Storage == ScalarType.Float16;

    /// <summary>The precision for a model of type <paramref name="dtype"/>.</summary>
    /// <remarks>
    /// int8 is for the CPU. All that is not a matrix of weights is bfloat16 where the processor has units for it, else float32.
    /// </remarks>
    /// <exception cref="ModelException">The type is not float32, bfloat16, float16 or, on a CPU, int8.</exception>
    public static Precision For(ScalarType dtype, Device device) => dtype switch
    {
        ScalarType.Int8 when device.type == DeviceType.CPU => For(Processor.HasBf16 ? ScalarType.BFloat16 : ScalarType.Float32, device) with
        {
            IsInt8 = true,
        },
        ScalarType.Int8 => throw new ModelException("int8 runs on the processor only; take fp16 or bf16 on a GPU."),
        ScalarType.Float16 when device.type == DeviceType.CPU => new(dtype, ScalarType.Float32, device),
        ScalarType.Float32 or ScalarType.BFloat16 or ScalarType.Float16 => new(dtype, dtype, device),
        _ => throw new ModelException($"The type is {dtype}; it must be float32, bfloat16, float16 or int8."),
    };

    /// <summary>Rounds a tensor, then converts it to the type and device of the model.</summary>
    public Tensor Place(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.to_type(Storage).to(Arithmetic, Device).MoveToOuterDisposeScope();
    }

    /// <summary>Where converted weights are kept; null for nowhere. On a GPU it is not used.</summary>
    internal WeightCache? Cache { get; init; }

    /// <summary>
    /// Builds a module and loads its weights, also from what training scripts save (<see cref="StateDicts"/>). The caller disposes the
    /// weights.
    /// </summary>
    public (T Module, Weights Weights) Load<T>(IWeightSource source, Func<Weights, T> build)
    {
        source = StateDicts.Unwrap(source, Note);
        var cached = Device.type == DeviceType.CPU ? Cache?.Find(source, $"{Storage} {Arithmetic} {IsInt8}") : null;
        if (cached is not null && Map(cached, source, build) is { } mapped)
            return mapped;
        var weights = new Weights(source, Arithmetic, Device, Int8);
        try
        {
            var module = build(weights);
            weights.Load(OnRead);
            Round(weights);
            cached?.Write(weights.Layout, weights.Leaves, () => OnRead?.Invoke(0));
            return (module, weights);
        }
        catch
        {
            weights.Dispose();
            throw;
        }
    }

    private Func<string, bool>? Int8 => IsInt8 ? Int8Weights.Includes : null;

    // Null if there is no file, or not of these weights.
    private (T Module, Weights Weights)? Map<T>(CachedWeights cached, IWeightSource source, Func<Weights, T> build)
    {
        if (cached.Open() is not { } file)
            return null;
        var weights = new Weights(source, Arithmetic, Int8, file);
        var isKept = false;
        try
        {
            var module = build(weights);
            weights.RequireFit();
            if (!cached.Accept(file, weights.Layout))
                return null;
            OnRead?.Invoke(weights.Tensors.Values.Sum(tensor => tensor.numel()));
            isKept = true;
            return (module, weights);
        }
        finally
        {
            if (!isKept)
                weights.Dispose();
        }
    }

    private void Round(Weights weights)
    {
        if (Storage == Arithmetic)
            return;
        foreach (var leaf in weights.Leaves)
        {
            using var rounded = leaf.to_type(Storage);
            leaf.copy_(rounded);
        }
    }
}

/// <summary>Reads device names and checks that devices exist.</summary>
public static class Devices
{
    /// <summary>Reads "cpu", "cpu:0", "cuda" or "cuda:N"; null for any other text.</summary>
    public static torch.Device? Parse(string text)
    {
        // TorchSharp would also accept cpu:1 and ignore the number.
        if (text is "cpu" or "cpu:0")
            return new torch.Device(DeviceType.CPU);
        if (text == "cuda")
            return new torch.Device(DeviceType.CUDA);
        return text.StartsWith("cuda:", StringComparison.Ordinal)
            && int.TryParse(text.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            ? new torch.Device(DeviceType.CUDA, index)
            : null;
    }

    /// <summary>Whether <see cref="Parse"/> accepts the text.</summary>
    public static bool IsDevice(string text) => Parse(text) is not null;

    /// <summary>Returns the device if it exists.</summary>
    /// <exception cref="ModelException">The device does not exist.</exception>
    /// <exception cref="LibtorchException">libtorch cannot be loaded.</exception>
    public static torch.Device Require(torch.Device device)
    {
        Libtorch.Require();
        var gpus = torch.cuda.is_available() ? torch.cuda.device_count() : 0;
        return FindFault(device, gpus) is { } fault ? throw new ModelException(fault) : device;
    }

    /// <summary>What is wrong with the device on a machine with this many GPUs; null if nothing is.</summary>
    internal static string? FindFault(torch.Device device, int gpus) =>
        device.type == DeviceType.CPU || device.index < gpus && gpus > 0
            ? null
            : $"The device {device} does not exist: this libtorch ({torch.__version__}) finds {Found(gpus)}.";

    private static string Found(int gpus) => gpus switch
    {
        0 => "0 CUDA devices; use cpu",
        1 => "1 CUDA device; use cuda:0 or cpu",
        _ => $"{gpus} CUDA devices; use one of cuda:0 to cuda:{gpus - 1}, or cpu",
    };
}
