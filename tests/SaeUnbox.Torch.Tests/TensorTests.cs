using static TorchSharp.torch;

namespace TorchSharp.Tests;

public class TensorTests
{
    [Fact]
    public void Tensor_FromArray_KeepsShapeTypeAndValues()
    {
        using var scope = NewDisposeScope();
        var made = tensor([1L, 2, 3, 4, 5, 6], [2, 3]);
        Assert.Equal([2L, 3], made.shape);
        Assert.Equal([3L, 1], made.stride());
        Assert.Equal(ScalarType.Int64, made.dtype);
        Assert.Equal(6, made[1, 2].item<long>());
        Assert.Equal(ScalarType.Float32, tensor(1f).dtype);
        Assert.Equal(ScalarType.Float64, tensor(1.0).dtype);
        Assert.Equal(0, tensor(1.0).ndim);
    }

    [Fact]
    public void Data_TransposedTensor_ReadsInRowMajorOrder()
    {
        using var scope = NewDisposeScope();
        var transposed = tensor([1f, 2, 3, 4, 5, 6], [2, 3]).t();
        Assert.False(transposed.is_contiguous());
        Assert.Equal([1f, 4, 2, 5, 3, 6], transposed.data<float>().ToArray());
        Assert.Equal(5f, transposed.data<float>()[1, 1]);
    }

    [Fact]
    public void Data_WrongElementType_Throws()
    {
        using var made = zeros(2);
        Assert.Throws<ArgumentException>(() => made.data<double>());
    }

    [Fact]
    public void Bytes_ContiguousTensor_AreItsMemory()
    {
        using var scope = NewDisposeScope();
        var made = zeros([2], int32);
        made.bytes = new byte[] { 1, 0, 0, 0, 0, 1, 0, 0 };
        Assert.Equal([1, 256], made.data<int>().ToArray());
        Assert.Throws<InvalidOperationException>(() => zeros(2, 3).t().bytes.Length);
    }

    [Fact]
    public void ReadBytesFromStream_ShortStream_Throws()
    {
        using var made = zeros(4);
        Assert.Throws<EndOfStreamException>(() => made.ReadBytesFromStream(new MemoryStream(new byte[15])));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1 << 20)]
    public void ReadBytesFromStream_AnyBuffer_RoundTripsWithWrite(int buffer)
    {
        using var scope = NewDisposeScope();
        var made = randn(5, 7);
        using var stream = new MemoryStream();
        made.WriteBytesToStream(stream, buffer);
        stream.Position = 0;
        var read = empty(5, 7);
        read.ReadBytesFromStream(stream, buffer);
        Assert.Equal(made.data<float>().ToArray(), read.data<float>().ToArray());
    }

    [Fact]
    public void Frombuffer_Array_SharesItsMemory()
    {
        using var scope = NewDisposeScope();
        var array = new float[] { 1, 2, 3, 4 };
        var view = frombuffer(array, ScalarType.Float32, 2, 4);
        array[1] = 9;
        Assert.Equal([9f, 3f], view.data<float>().ToArray());
        Assert.Throws<ArgumentException>(() => frombuffer(array, ScalarType.Float32, 5));
    }

    [Fact]
    public void Index_SlicesEllipsisAndNone_FollowPython()
    {
        using var scope = NewDisposeScope();
        var made = arange(24).reshape(2, 3, 4);
        Assert.Equal([3L, 4], made[1].shape);
        Assert.Equal([2L, 3], made[TensorIndex.Ellipsis, 1].shape);
        Assert.Equal([2L, 1, 3, 2], made[TensorIndex.Colon, TensorIndex.None, TensorIndex.Colon, TensorIndex.Slice(1, 3)].shape);
        Assert.Equal([2L, 3, 2], made[TensorIndex.Ellipsis, TensorIndex.Slice(null, null, 2)].shape);
        Assert.Equal([11L, 23], made[.., 2, ^1..].flatten().data<long>().ToArray());
        made[0, 0] = zeros([4], int64);
        Assert.Equal(0, made[0, 0].sum().item<long>());
    }

    [Fact]
    public void Index_WithTensor_Gathers()
    {
        using var scope = NewDisposeScope();
        var made = arange(12).reshape(3, 4);
        Assert.Equal([8L, 0], made[TensorIndex.Tensor(tensor([2L, 0])), 0].data<long>().ToArray());
        Assert.Equal([1L, 9], made.index_select(0, tensor([0L, 2])).select(1, 1).data<long>().ToArray());
        var target = zeros([3], float32);
        target.index_put_(tensor([5f, 7f]), [tensor([1L, 1])], accumulate: true);
        Assert.Equal([0f, 12, 0], target.data<float>().ToArray());
    }

    [Fact]
    public void Topk_Sort_Scatter_AgreeOnOrder()
    {
        using var scope = NewDisposeScope();
        var made = tensor([3f, 1, 4, 1, 5, 9, 2, 6], [2, 4]);
        var (values, indices) = made.topk(2);
        Assert.Equal([4f, 3, 9, 6], values.data<float>().ToArray());
        Assert.Equal([2L, 0, 1, 3], indices.data<long>().ToArray());
        Assert.Equal(made.sort(descending: true).Values.narrow(1, 0, 2).data<float>().ToArray(), values.data<float>().ToArray());
        var dense = zeros_like(made).scatter_(1, indices, values);
        Assert.Equal([3f, 0, 4, 0, 0, 9, 0, 6], dense.data<float>().ToArray());
        Assert.Equal(values.data<float>().ToArray(), dense.gather(1, indices).data<float>().ToArray());
    }

    [Fact]
    public void Round_Halves_GoToEven()
    {
        using var scope = NewDisposeScope();
        Assert.Equal([0f, 2, 2, -2], tensor([0.5f, 1.5f, 2.5f, -1.5f]).round().data<float>().ToArray());
    }

    [Fact]
    public void Split_UnevenLast_CoversAll()
    {
        using var scope = NewDisposeScope();
        var pieces = arange(7).split(3);
        Assert.Equal([3L, 3, 1], pieces.Select(piece => piece.shape[0]));
        Assert.Equal([2L, 3], arange(4).reshape(2, 2).unbind()[1].data<long>().ToArray());
        Assert.Equal([0L, 1], arange(4).chunk(2)[0].data<long>().ToArray());
    }

    [Theory]
    [InlineData(ScalarType.Float16)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float64)]
    [InlineData(ScalarType.Int32)]
    [InlineData(ScalarType.Byte)]
    public void To_ThereAndBack_KeepsSmallIntegers(ScalarType type)
    {
        using var scope = NewDisposeScope();
        var made = arange(0, 100).to(float32);
        Assert.Equal(made.data<float>().ToArray(), made.to(type).to(float32).data<float>().ToArray());
    }

    [Fact]
    public void Device_Cuda_WhereThereIsNone_SaysSo()
    {
        if (cuda.is_available()) return;
        Assert.Equal(0, cuda.device_count());
        Assert.Contains("CUDA", Assert.Throws<InvalidOperationException>(() => cuda.synchronize()).Message);
        using var made = zeros(1);
        Assert.Contains("CUDA", Assert.ThrowsAny<Exception>(() => made.cuda()).Message);
    }

    [Theory]
    [InlineData("cuda:1", DeviceType.CUDA, 1)]
    [InlineData("CPU", DeviceType.CPU, -1)]
    public void Device_Description_IsParsed(string description, DeviceType type, int index)
    {
        Assert.Equal(type, device(description).type);
        Assert.Equal(index, device(description).index);
    }

    [Theory]
    [InlineData("gpu")]
    [InlineData("cuda:x")]
    [InlineData("cuda:1:2")]
    [InlineData("1")]
    [InlineData("")]
    public void Device_NoDevice_Throws(string description) => Assert.Throws<ArgumentException>(() => device(description));
}
