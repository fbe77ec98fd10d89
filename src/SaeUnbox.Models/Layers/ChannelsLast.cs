using static TorchSharp.torch;

namespace SaeUnbox.Models;

/// <summary>
/// Pictures are [batch, channels, height, width] in shape and channels last in memory: convolutions run at full speed in that order,
/// and the rows [batch, cells, channels] that linear layers want are a view of it.
/// </summary>
internal static class ChannelsLast
{
    /// <summary>The same values in channels-last memory; no copy where they lie so already.</summary>
    public static Tensor Of(Tensor x) => x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    /// <summary>[B, C, H, W] as [B, HW, C].</summary>
    public static Tensor ToRows(Tensor x) => x.permute(0, 2, 3, 1).flatten(1, 2);

    /// <summary>[B, HW, C] as [B, C, H, W].</summary>
    public static Tensor FromRows(Tensor rows, long height, long width) =>
        rows.reshape(rows.shape[0], height, width, rows.shape[2]).permute(0, 3, 1, 2);
}
