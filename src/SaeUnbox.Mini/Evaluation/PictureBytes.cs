using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Pictures between renderer, autoencoder and probe.</summary>
internal static class PictureBytes
{
    /// <summary>Renderings as the autoencoder takes them: [B, 3, side, side], -1 to 1.</summary>
    public static Tensor ToTensor(IReadOnlyList<ScenePicture> pictures, Device device)
    {
        using var scope = NewDisposeScope();
        var side = pictures[0].Size;
        var bytes = tensor(pictures.SelectMany(picture => picture.Rgb).ToArray(), device: device).reshape(pictures.Count, side, side, 3);
        return bytes.to_type(ScalarType.Float32).Over(127.5).Minus(1).permute(0, 3, 1, 2).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Decoded pictures [B, 3, side, side] of -1 to 1 as the probe takes them, each [row, column, colour].</summary>
    public static byte[][] ForProbe(Tensor decoded)
    {
        using var scope = NewDisposeScope();
        var factor = decoded.shape[2] / SceneProbe.Size;
        var small = nn.functional.avg_pool2d(decoded.Between(-1, 1), [factor, factor], stride: [factor, factor]);
        using var bytes = Pixels.ToBytes(Pixels.ToUnit(small));
        return [.. Enumerable.Range(0, (int)bytes.shape[0]).Select(i => bytes[i].contiguous().bytes.ToArray())];
    }

    /// <summary>Peak signal to noise of each picture, in decibels; both [B, 3, side, side], -1 to 1.</summary>
    public static double[] Psnr(Tensor decoded, Tensor truth)
    {
        using var scope = NewDisposeScope();
        var errors = (decoded.Between(-1, 1) - truth).Over(2).Square().mean([1L, 2, 3]);
        return [.. errors.cpu().data<float>().ToArray().Select(error => -10 * Math.Log10(Math.Max(error, 1e-12)))];
    }
}
