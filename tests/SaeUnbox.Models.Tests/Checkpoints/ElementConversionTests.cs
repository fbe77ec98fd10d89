using System.Runtime.InteropServices;
using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Models.Tests;

public sealed class ElementConversionTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly TorchSharp.DisposeScope _scope = NewDisposeScope();

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    public static TheoryData<ScalarType, ScalarType> Pairs
    {
        get
        {
            ScalarType[] types = [ScalarType.Float64, ScalarType.Float32, ScalarType.Float16, ScalarType.BFloat16];
            return [.. types.SelectMany(from => types.Select(to => (from, to)))];
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Read_EveryPattern_IsConvertedAsByLibtorch(ScalarType from, ScalarType to)
    {
        var values = Patterns(from);
        SafetensorsWriter.Write(_folder.At("x.safetensors"), new Dictionary<string, Tensor> { ["x"] = values });
        using var checkpoint = Checkpoint.Open(_folder.At("x.safetensors"));
        var read = empty(values.shape, dtype: to);
        checkpoint.Read("x", read);
        var expected = values.to_type(to);
        Assert.True(expected.isnan().eq(read.isnan()).all().item<bool>());
        var isNumber = expected.isnan().logical_not();
        Assert.Equal(expected[isNumber].bytes.ToArray(), read[isNumber].bytes.ToArray());
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Read_KernelOfAConvolution_IsStoredChannelsLast(ScalarType from, ScalarType to)
    {
        foreach (long[] shape in (long[][])[[5, 7, 3, 3], [3, 4, 1, 1], [2, 1, 3, 2], [40, 400, 3, 3]])
        {
            var values = rand(shape).to_type(from);
            SafetensorsWriter.Write(_folder.At("x.safetensors"), new Dictionary<string, Tensor> { ["x"] = values });
            using var checkpoint = Checkpoint.Open(_folder.At("x.safetensors"));
            using var weights = new Weights(checkpoint, to);
            var read = weights.GetChannelsLast("x", shape[0], shape[1], shape[2], shape[3]);
            weights.Load();
            TensorAssert.Same(values.to_type(to), read);
            Assert.True(read.permute(0, 2, 3, 1).is_contiguous());
        }
    }

    /// <summary>All float16, or all upper halves with some lower halves, in a length that is no multiple of a vector's.</summary>
    private static Tensor Patterns(ScalarType type)
    {
        var inOrder = Enumerable.Range(0, 1 << 16).ToArray();
        int[] shuffled = [.. inOrder];
        new Random(1).Shuffle(shuffled);
        int[] upper = [.. inOrder, .. shuffled, 0x3c01];
        if (type is ScalarType.Float16 or ScalarType.BFloat16)
            return Of(type, [.. upper.Select(code => (ushort)code)]);
        uint[] lower = [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff];
        return Of<uint>(ScalarType.Float32, [.. upper.SelectMany(code => lower, (code, low) => ((uint)code << 16) | low)]).to_type(type);
    }

    private static Tensor Of<T>(ScalarType type, T[] bits) where T : struct
    {
        var tensor = empty(bits.Length, dtype: type);
        MemoryMarshal.AsBytes<T>(bits).CopyTo(tensor.bytes);
        return tensor;
    }
}
