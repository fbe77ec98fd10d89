using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>From what an autoencoder decodes to what a picture file holds.</summary>
public static class Pixels
{
    /// <summary>[B, 3, H, W] of about -1 … 1 to 0 … 1, clamped.</summary>
    public static Tensor ToUnit(Tensor decoded)
    {
        using var scope = NewDisposeScope();
        return decoded.Over(2).Plus(0.5).Between(0, 1).MoveToOuterDisposeScope();
    }

    /// <summary>[B, 3, H, W] of 0 … 1 to bytes [B, H, W, 3], contiguous; a half rounds to the even neighbour.</summary>
    public static Tensor ToBytes(Tensor unit)
    {
        using var scope = NewDisposeScope();
        return unit.permute(0, 2, 3, 1).Times(255).round().to_type(ScalarType.Byte).cpu().contiguous().MoveToOuterDisposeScope();
    }
}
