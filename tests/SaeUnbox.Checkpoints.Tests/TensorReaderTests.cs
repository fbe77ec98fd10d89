using FsCheck;
using FsCheck.Fluent;
using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Checkpoints.Tests;

public sealed class TensorReaderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly DisposeScope scope = torch.NewDisposeScope();

    [Fact]
    public void Read_IntoEveryWiderOrNarrowerFloat_ConvertsAsTorchDoes()
    {
        torch.ScalarType[] floats = [torch.float64, torch.float32, torch.float16, torch.bfloat16];
        var values = torch.linspace(-3, 3, 1000, dtype: torch.float64).reshape(10, 100);
        SafetensorsWriter.Write(folder.At("f.safetensors"), floats.Select(type => KeyValuePair.Create($"{type}", values.to(type))));
        using var file = Checkpoint.Open(folder.At("f.safetensors"));
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
            TorchFileWriter.Write(folder.At("p.pt"), values);
            using var file = Checkpoint.Open(folder.At("p.pt"));
            var target = Ordered(shape, to).fill_(-1);
            file.Read("", target);
            return target.eq(values).all().item<bool>() && file.Read("").eq(values).all().item<bool>();
        }));

    /// <summary>A shape of up to four axes, and the order of axes in memory of the file's and of the target's tensor.</summary>
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
        return torch.arange(0, count, 1, dtype: torch.float32).reshape(memory).permute(back);
    }

    [Fact]
    public void Read_IntoASliceOfALargerTensor_LeavesTheRestAlone()
    {
        SafetensorsWriter.Write(folder.At("s.safetensors"), [KeyValuePair.Create("a", torch.ones([3, 4]))]);
        using var file = Checkpoint.Open(folder.At("s.safetensors"));
        var whole = torch.zeros([5, 6]);
        file.Read("a", whole.narrow(0, 1, 3).narrow(1, 2, 4));
        Assert.Equal(12, whole.sum().item<float>());
        Assert.Equal(0, whole.narrow(1, 0, 2).sum().item<float>());
    }

    [Fact]
    public void Read_OfAnotherShape_NamesBothShapes()
    {
        SafetensorsWriter.Write(folder.At("s.safetensors"), [KeyValuePair.Create("a", torch.ones([3, 4]))]);
        using var file = Checkpoint.Open(folder.At("s.safetensors"));
        var message = Assert.Throws<CheckpointException>(() => file.Read("a", torch.zeros([4, 3]))).Message;
        Assert.Contains("[3, 4]", message);
        Assert.Contains("[4, 3]", message);
        Assert.Contains("'b'", Assert.Throws<CheckpointException>(() => file.Read("b")).Message);
    }

    [Theory, InlineData("U16", 2), InlineData("F8_E4M3", 1), InlineData("U64", 8)]
    public void Read_TypeThatLibtorchLacks_IsListedButNotRead(string dtype, int size)
    {
        Handmade.Safetensors(folder.At("x.safetensors"), $$"""{"a":{"data_offsets":[0,{{3 * size}}],"shape":[3],"dtype":"{{dtype}}"} }""", new byte[3 * size]);
        Assert.Equal(dtype, Assert.Single(Inspection.Of(folder.At("x.safetensors")).Tensors).DType);
        using var file = Checkpoint.Open(folder.At("x.safetensors"));
        Assert.Contains(dtype, Assert.Throws<CheckpointException>(() => file.Read("a")).Message);
    }

    [Fact]
    public void Read_BoolOfAnotherByte_IsRejected()
    {
        Handmade.Safetensors(folder.At("b.safetensors"), """{"a":{"dtype":"BOOL","shape":[3],"data_offsets":[0,3]}}""", [0, 2, 1]);
        using var file = Checkpoint.Open(folder.At("b.safetensors"));
        Assert.Throws<CheckpointException>(() => file.Read("a"));
    }

    public void Dispose()
    {
        scope.Dispose();
        folder.Dispose();
    }
}
