using System.Runtime.Intrinsics;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// The linear code of pictures: the four principal components of 4x4x3 patches, each of unit variance. It needs no training, and
/// the encoder of AutoencoderTiny can hold it exactly (see <see cref="LatentEncoderWeights"/>).
/// </summary>
internal sealed class LatentCode
{
    public const int Channels = 4, Patch = 4, PatchValues = Patch * Patch * 3;

    private readonly float[] _mean, _components;

    /// <param name="mean">Mean patch of pictures from -1 to 1: [row, column, colour], 48 values.</param>
    /// <param name="components">[48, 4]: patch values less their mean, times this, are the latents.</param>
    public LatentCode(float[] mean, float[] components) => (_mean, _components) = (mean, components);

    public ReadOnlySpan<float> Mean => _mean;

    public ReadOnlySpan<float> Components => _components;

    /// <summary>Finds the code of the given pictures.</summary>
    public static LatentCode Fit(IEnumerable<ScenePicture> pictures)
    {
        using var scope = NewDisposeScope();
        var (sum, products, count) = (zeros(PatchValues, ScalarType.Float64), zeros(PatchValues, PatchValues, ScalarType.Float64), 0L);
        foreach (var picture in pictures)
        {
            using var inner = NewDisposeScope();
            var patches = tensor(Patches(picture)).reshape(-1, PatchValues).to_type(ScalarType.Float64);
            sum.Accumulate(patches.sum([0L]));
            products.Accumulate(patches.t().mm(patches));
            count += patches.shape[0];
        }
        var mean = sum.Over(count);
        var covariance = products.Over(count) - mean.outer(mean);
        var (variances, directions) = linalg.eigh(covariance);
        // Ascending: the last four, the largest first, each turned so that its sum is positive.
        var components = directions.narrow(1, PatchValues - Channels, Channels).flip(1);
        components = components * components.sum([0L], keepdim: true).sign();
        components = components / variances.narrow(0, PatchValues - Channels, Channels).flip(0).sqrt();
        return new LatentCode(mean.to_type(ScalarType.Float32).data<float>().ToArray(),
            components.to_type(ScalarType.Float32).contiguous().data<float>().ToArray());
    }

    /// <summary>Latents of a picture, [4, side / 4, side / 4] flattened.</summary>
    public float[] Encode(ScenePicture picture)
    {
        var side = picture.Size / Patch;
        var latents = new float[Channels * side * side];
        Span<float> patch = stackalloc float[PatchValues];
        for (var cell = 0; cell < side * side; cell++)
        {
            CopyPatch(picture, cell, patch);
            var code = Vector128<float>.Zero;
            for (var i = 0; i < PatchValues; i++)
                code += (patch[i] - _mean[i]) * Vector128.Create(_components, i * Channels);
            for (var channel = 0; channel < Channels; channel++)
                latents[channel * side * side + cell] = code[channel];
        }
        return latents;
    }

    /// <summary>Pixels from -1 to 1 as [cell, row, column, colour].</summary>
    private static float[] Patches(ScenePicture picture)
    {
        var patches = new float[picture.Rgb.Length];
        for (var cell = 0; cell < patches.Length / PatchValues; cell++)
            CopyPatch(picture, cell, patches.AsSpan(cell * PatchValues, PatchValues));
        return patches;
    }

    private static void CopyPatch(ScenePicture picture, int cell, Span<float> patch)
    {
        var side = picture.Size / Patch;
        for (var row = 0; row < Patch; row++)
        {
            var start = ((cell / side * Patch + row) * picture.Size + cell % side * Patch) * 3;
            for (var i = 0; i < Patch * 3; i++)
                patch[row * Patch * 3 + i] = picture.Rgb[start + i] / 127.5f - 1;
        }
    }
}
