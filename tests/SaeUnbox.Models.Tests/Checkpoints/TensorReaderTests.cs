using FsCheck;
using FsCheck.Fluent;
using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

public sealed class TensorReaderTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    [Fact]
    public void Read_IntoEveryWiderOrNarrowerFloat_ConvertsAsTorchDoes()
    {
        torch.ScalarType[] floats = [torch.float64, torch.float32, torch.float16, torch.bfloat16];
        var values = torch.linspace(-3, 3, 1000, dtype: torch.float64).reshape(10, 100);
        SafetensorsWriter.Write(_folder.At("f.safetensors"), floats.Select(type => KeyValuePair.Create($"{type}", values.to(type))));
        using var file = Checkpoint.Open(_folder.At("f.safetensors"));
        foreach (var from in floats)
            foreach (var to in floats)
            {
                var target = torch.empty([10, 100], dtype: to);
                file.Read($"{from}", target);
                TensorAssert.Same(values.to(from).to(to), target);
            }
    }

    [Fact]
    public void Read_AnyShapeAndOrderOfAxes_FillsTheTargetElementByElement() =>
        Check.One(Config.QuickThrowOnFailure.WithMaxTest(60), Prop.ForAll(Cases().ToArbitrary(), item =>
        {
            var (shape, from, to) = item;
            using var inner = torch.NewDisposeScope();
            var values = Ordered(shape, from);
            TorchFileWriter.Write(_folder.At("p.pt"), values);
            using var file = Checkpoint.Open(_folder.At("p.pt"));
            var target = Ordered(shape, to).Fill(-1);
            file.Read("", target);
            return target.eq(values).all().item<bool>() && file.Read("").eq(values).all().item<bool>();
        }));

    /// <summary>A shape of up to four axes, and the memory orders of the stored and the target tensor.</summary>
    private static Gen<(long[] Shape, long[] From, long[] To)> Cases() =>
        from axes in Gen.Choose(0, 4)
        from shape in Gen.Choose(1, 6).Select(size => (long)size).ArrayOf(axes)
        from order in Gen.Shuffle(Enumerable.Range(0, axes).Select(axis => (long)axis).ToArray())
        from other in Gen.Shuffle(Enumerable.Range(0, axes).Select(axis => (long)axis).ToArray())
        select (shape, order, other);

    private static torch.Tensor Ordered(long[] shape, long[] order)
    {
        var memory = order.Select(axis => shape[axis]).ToArray();
        var count = memory.Aggregate(1L, (product, size) => product * size);
        var back = Enumerable.Range(0, shape.Length).Select(axis => (long)Array.IndexOf(order, axis)).ToArray();
        return Arithmetic.Range(0, count, torch.float32).reshape(memory).permute(back);
    }

    [Fact]
    public void Read_IntoASlice_LeavesTheRest()
    {
        SafetensorsWriter.Write(_folder.At("s.safetensors"), [KeyValuePair.Create("a", torch.ones([3, 4]))]);
        using var file = Checkpoint.Open(_folder.At("s.safetensors"));
        var whole = torch.zeros([5, 6]);
        file.Read("a", whole.narrow(0, 1, 3).narrow(1, 2, 4));
        Assert.Equal(12, whole.sum().item<float>());
        Assert.Equal(0, whole.narrow(1, 0, 2).sum().item<float>());
    }

    [Fact]
    public void Read_OfAnotherShape_NamesBothShapes()
    {
        SafetensorsWriter.Write(_folder.At("s.safetensors"), [KeyValuePair.Create("a", torch.ones([3, 4]))]);
        using var file = Checkpoint.Open(_folder.At("s.safetensors"));
        var message = Assert.Throws<CheckpointException>(() => file.Read("a", torch.zeros([4, 3]))).Message;
        Assert.Contains("[3, 4]", message);
        Assert.Contains("[4, 3]", message);
        Assert.Contains("'b'", Assert.Throws<CheckpointException>(() => file.Read("b")).Message);
    }

    /// <summary>Codes and values from the formats' definitions: one, the largest, the smallest, a negative one, and NaN.</summary>
    public static TheoryData<string, byte[], float[]> EightBitFloats => new()
    {
        { "F8_E4M3", [0x38, 0x7e, 0x01, 0xb8, 0x00, 0x7f], [1, 448, 1f / 512, -1, 0, float.NaN] },
        { "F8_E5M2", [0x3c, 0x7b, 0x01, 0xbc, 0x7c, 0x7d], [1, 57344, 1f / 65536, -1, float.PositiveInfinity, float.NaN] },
        { "F8_E4M3FNUZ", [0x40, 0x7f, 0x01, 0xc0, 0x00, 0x80], [1, 240, 1f / 1024, -1, 0, float.NaN] },
        { "F8_E5M2FNUZ", [0x40, 0x7f, 0x01, 0xc0, 0x00, 0x80], [1, 57344, 1f / 131072, -1, 0, float.NaN] },
        { "F8_E8M0", [127, 254, 0, 128, 126, 255], [1, MathF.ScaleB(1, 127), MathF.ScaleB(1, -127), 2, 0.5f, float.NaN] },
    };

    [Theory, MemberData(nameof(EightBitFloats))]
    public void Read_EightBitFloats_AreTheirExactValues(string dtype, byte[] codes, float[] values)
    {
        Handmade.Safetensors(_folder.At("x.safetensors"), $$"""{"a":{"dtype":"{{dtype}}","shape":[2,3],"data_offsets":[0,6]} }""", codes);
        using var file = Checkpoint.Open(_folder.At("x.safetensors"));
        Assert.Equal(values, file.Read("a").to(torch.float32).data<float>().ToArray());
        var transposed = torch.zeros([3, 2]).t();
        file.Read("a", transposed);
        Assert.Equal(values, transposed.contiguous().data<float>().ToArray());
        Assert.Throws<CheckpointException>(() => file.Read("a", torch.zeros([2, 3], dtype: torch.int64)));
    }

    [Theory]
    [InlineData("U16", new byte[] { 1, 0, 255, 255 }, new[] { 1L, 65535 })]
    [InlineData("U32", new byte[] { 1, 0, 0, 0, 255, 255, 255, 255 }, new[] { 1L, uint.MaxValue })]
    [InlineData("U64", new byte[] { 1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 127 }, new[] { 1L, long.MaxValue })]
    public void Read_UnsignedIntegers_AreWidened(string dtype, byte[] bytes, long[] values)
    {
        Handmade.Safetensors(_folder.At("x.safetensors"),
            $$"""{"a":{"dtype":"{{dtype}}","shape":[2],"data_offsets":[0,{{bytes.Length}}] } }""", bytes);
        using var file = Checkpoint.Open(_folder.At("x.safetensors"));
        Assert.Equal(values, file.Read("a").to(torch.int64).data<long>().ToArray());
    }

    [Fact]
    public void Read_UnsignedIntegerBeyondTheSignedOnes_IsRefused()
    {
        Handmade.Safetensors(_folder.At("x.safetensors"), """{"a":{"dtype":"U64","shape":[1],"data_offsets":[0,8]}}""",
            [0, 0, 0, 0, 0, 0, 0, 128]);
        using var file = Checkpoint.Open(_folder.At("x.safetensors"));
        Assert.Contains("U64", Assert.Throws<CheckpointException>(() => file.Read("a")).Message);
    }

    [Fact]
    public void Read_MoreNarrowValuesThanABuffer_AreComplete()
    {
        const int count = 3_000_000;
        var codes = Enumerable.Range(0, count).Select(i => (byte)(i % 0x78)).ToArray();
        Handmade.Safetensors(_folder.At("x.safetensors"),
            $$"""{"a":{"dtype":"F8_E5M2","shape":[{{count}}],"data_offsets":[0,{{count}}] } }""", codes);
        using var file = Checkpoint.Open(_folder.At("x.safetensors"));
        // This 8-bit float is the upper byte of a float16.
        var wide = codes.SelectMany(code => (byte[])[0, code]).ToArray();
        Assert.Equal(wide, file.Read("a").bytes.ToArray());
    }

    [Theory, InlineData("C64", 8), InlineData("F4", 1)]
    public void Read_TypeThatCannotBeRead_IsListedAndNamed(string dtype, int size)
    {
        Handmade.Safetensors(_folder.At("x.safetensors"),
            $$"""{"a":{"data_offsets":[0,{{size}}],"shape":[{{(dtype == "F4" ? 2 : 1)}}],"dtype":"{{dtype}}"} }""", new byte[size]);
        Assert.Equal(dtype, Assert.Single(Inspection.Read(_folder.At("x.safetensors")).Tensors).DType);
        using var file = Checkpoint.Open(_folder.At("x.safetensors"));
        Assert.Contains(dtype, Assert.Throws<CheckpointException>(() => file.Read("a")).Message);
    }

    [Fact]
    public void Read_BoolOfAnotherByte_IsRejected()
    {
        Handmade.Safetensors(_folder.At("b.safetensors"), """{"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}""", [0, 2, 1]);
        using var file = Checkpoint.Open(_folder.At("b.safetensors"));
        Assert.Throws<CheckpointException>(() => file.Read("a"));
    }

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }
}
