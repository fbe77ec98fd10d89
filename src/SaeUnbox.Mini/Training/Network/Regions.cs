using SaeUnbox.Mini.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Masks of cells as masks of latents.</summary>
internal static class Regions
{
    /// <summary>[B, 1, 16, 16] to [B, 1, 16 * factor, 16 * factor].</summary>
    public static Tensor Enlarge(Tensor masks, long factor)
    {
        using var scope = NewDisposeScope();
        return nn.functional.interpolate(masks, [masks.shape[2] * factor, masks.shape[3] * factor], mode: InterpolationMode.Nearest)
            .MoveToOuterDisposeScope();
    }

    /// <summary>Cells in which a thing shows, [B, 1, 16, 16], of labels [B, labels, 16, 16].</summary>
    public static Tensor OfThings(Tensor labels) => labels.narrow(1, SceneLabels.Of(default(ThingKind)), Enum.GetValues<ThingKind>().Length).amax(1).unsqueeze(1);

    /// <summary>1 within <paramref name="reach"/> latents of the mask's border, on both sides of it.</summary>
    public static Tensor Edge(Tensor mask, long reach)
    {
        using var scope = NewDisposeScope();
        var near = Mean(mask, reach);
        return (near.IsAbove(1e-4) * near.IsBelow(1 - 1e-4)).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    // The mean over a window is strictly between 0 and 1 exactly where the window holds both sides.
    private static Tensor Mean(Tensor mask, long reach)
    {
        var padded = nn.functional.pad(mask, [reach, reach, reach, reach], mode: PaddingModes.Replicate);
        return nn.functional.avg_pool2d(padded, [2 * reach + 1, 2 * reach + 1], stride: [1, 1]);
    }
}
