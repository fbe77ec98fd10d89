using TorchSharp;

namespace SaeUnbox.Models;

/// <summary>Writes a tensor's elements in row-major order, whatever its strides and device, through a small staging tensor where needed.</summary>
internal static class TensorWriter
{
    private const long ChunkElements = 1 << 20;

    public static void Write(Stream stream, torch.Tensor tensor)
    {
        using var _ = torch.no_grad();
        torch.Tensor? staging = null;
        try
        {
            Slabs.ForEach(tensor, ChunkElements, slab =>
            {
                if (slab.is_contiguous() && slab.device_type == DeviceType.CPU)
                {
                    stream.Write(slab.bytes);
                    return;
                }
                staging ??= torch.empty(Math.Min(ChunkElements, tensor.numel()), dtype: tensor.dtype);
                using var part = staging.narrow(0, 0, slab.numel());
                using var shaped = part.view(slab.shape);
                shaped.copy_(slab);
                stream.Write(part.bytes);
            });
        }
        finally
        {
            staging?.Dispose();
        }
    }
}
