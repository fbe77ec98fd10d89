using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using SaeUnbox.Testing;
using TorchSharp;

namespace SaeUnbox.Models.Tests;

/// <summary>Access to tensor memory as spans, and reading files beyond the size of a span.</summary>
public sealed class TensorMemoryTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Fact]
    public void Bytes_OfATensor_AreItsMemory()
    {
        using var scope = torch.NewDisposeScope();
        var tensor = torch.zeros([1 << 20], dtype: torch.float32);
        var view = tensor.narrow(0, 5, 10);
        tensor.bytes[20] = 1;

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            Assert.True(Unsafe.AreSame(ref MemoryMarshal.GetReference(tensor.bytes), ref MemoryMarshal.GetReference(tensor.bytes)));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(1, view.bytes[0]);
        Assert.Equal(40, view.bytes.Length);
        Assert.InRange(allocated, 0, tensor.bytes.Length / 10);
    }

    [Fact]
    public void Bytes_OfStridedMemory_AreRefused()
    {
        using var scope = torch.NewDisposeScope();
        var turned = torch.zeros([3, 4]).t();

        Assert.Throws<InvalidOperationException>(() => turned.bytes.Length);
    }

    [Fact]
    public void Data_OfStridedMemory_FollowsTheStrides()
    {
        using var scope = torch.NewDisposeScope();
        var values = torch.tensor(new float[] { 0, 1, 2, 3, 4, 5 }).view(2, 3);

        Assert.Equal([0f, 3, 1, 4, 2, 5], values.t().data<float>().ToArray());
        Assert.Equal([1f, 4], values.select(1, 1).data<float>().ToArray());
        Assert.Equal([0f, 0, 3, 3], values.narrow(1, 0, 1).expand(2, 2).data<float>().ToArray());
    }

    // More than 2^31 bytes, beyond the range of a span or an int. The file is sparse except for its last values.
    [Fact]
    public void Read_MoreThanTwoGigabytesUnconverted_HasTheLastValues() => ReadLarge("U8", torch.ScalarType.Byte, 1);

    // Uses the staging tensor, which is slower. tests/fuzz.sh runs it.
    [Fact(Explicit = true)]
    public void Read_MoreThanTwoGigabytesConverted_HasTheLastValues() => ReadLarge("F16", torch.ScalarType.BFloat16, 2);

    public void Dispose() => _folder.Dispose();

    private void ReadLarge(string stored, torch.ScalarType target, int size)
    {
        long[] shape = [(1L << 31) / size / 4096 + 1, 4096];
        var count = shape[0] * shape[1];
        var path = _folder.At("large.safetensors");
        WriteSparse(path, stored, shape, count * size,
            [.. Enumerable.Range(0, 32).Select(i => (byte)(size == 1 ? i + 1 : i % 2 == 0 ? 0 : 0x3c + i / 2 % 4))]);

        using var scope = torch.NewDisposeScope();
        var tensor = torch.empty(shape, dtype: target);
        using (var checkpoint = Checkpoint.Open(path))
            checkpoint.Read("large", tensor);

        var flat = tensor.view(-1);
        var (last, first) =
            (flat.narrow(0, count - 32 / size, 32 / size).to(torch.float32),
                flat.narrow(0, count - 4096, 4096 - 32 / size).to(torch.float32));
        // Float16 with the high bytes 0x3c to 0x3f and low bytes 0: 1, 1.25, 1.5, 1.75.
        Assert.Equal(Enumerable.Range(0, 32 / size).Select(i => size == 1 ? i + 1f : 1 + i % 4 * .25f), last.data<float>().ToArray());
        Assert.Equal(0, first.sum().item<float>());
        Assert.Equal(0, flat[0].to(torch.float32).item<float>());
    }

    private static void WriteSparse(string path, string dtype, long[] shape, long bytes, byte[] end)
    {
        var header =
            Encoding.UTF8.GetBytes(
                $$$"""{"large":{"dtype":"{{{dtype}}}","shape":[{{{shape[0]}}},{{{shape[1]}}}],"data_offsets":[0,{{{bytes}}}]}}""");
        using var file = File.Create(path);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        file.Write(length);
        file.Write(header);
        file.SetLength(8 + header.Length + bytes);
        file.Seek(-end.Length, SeekOrigin.End);
        file.Write(end);
    }
}
