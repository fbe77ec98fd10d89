using System.Runtime.Intrinsics;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// A linear code of pictures: the first four principal components of 4 x 4 x 3 patches, scaled to unit variance. It needs no training, and
/// an encoder of AutoencoderTiny computes it exactly, see <see cref="LatentEncoderWeights"/>.
/// </summary>
internal sealed class LatentCode
{
    public const int Channels = 4, Patch = 4, PatchValues = Patch * Patch * 3;

    private readonly float[] _mean, _components;

    /// <param name="mean">Mean patch [row, column, colour] of pixels from -1 to 1, 48 values.</param>
    /// <param name="components">[48, 4]; latents are (patch - mean) * components.</param>
    public LatentCode(float[] mean, float[] components) => (_mean, _components) = (mean, components);

    public ReadOnlySpan<float> Mean => _mean;

    public ReadOnlySpan<float> Components => _components;

    /// <summary>Finds the principal components of pictures.</summary>
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
        // Eigenvalues ascend, so the last four are flipped. Each component gets the sign that makes its sum positive.
        var components = directions.narrow(1, PatchValues - Channels, Channels).flip(1);
        components = components * components.sum([0L], keepdim: true).sign();
        components = components / variances.narrow(0, PatchValues - Channels, Channels).flip(0).sqrt();
        return new LatentCode(mean.to_type(ScalarType.Float32).data<float>().ToArray(),
            components.to_type(ScalarType.Float32).contiguous().data<float>().ToArray());
    }

    /// <summary>The latents of a picture, [4, side / 4 / reduction, side / 4 / reduction].</summary>
    /// <param name="reduction">Side of a square of pixels that are averaged into one before.</param>
    public float[] Encode(ScenePicture picture, int reduction = 1)
    {
        var side = picture.Size / Patch / reduction;
        var latents = new float[Channels * side * side];
        Span<float> patch = stackalloc float[PatchValues];
        for (var cell = 0; cell < side * side; cell++)
        {
            CopyPatch(picture, cell, reduction, patch);
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
            CopyPatch(picture, cell, 1, patches.AsSpan(cell * PatchValues, PatchValues));
        return patches;
    }

    private static void CopyPatch(ScenePicture picture, int cell, int reduction, Span<float> patch)
    {
        var (side, square) = (picture.Size / Patch / reduction, reduction * reduction);
        patch.Clear();
        for (var row = 0; row < Patch * reduction; row++)
            for (var column = 0; column < Patch * reduction; column++)
            {
                var pixel = (cell / side * Patch * reduction + row) * picture.Size + cell % side * Patch * reduction + column;
                var value = (row / reduction * Patch + column / reduction) * 3;
                for (var color = 0; color < 3; color++)
                    patch[value + color] += (picture.Rgb[pixel * 3 + color] / 127.5f - 1) / square;
            }
    }
}

/// <summary>
/// The linear code as weights of an AutoencoderTiny encoder. Without residual blocks it consists of convolutions, and is linear. The first
/// passes the colours on, and each stage of a reduction averages 2 x 2 pixels. Of the last two stages one gathers 2 x 2 pixels into 12
/// channels, the other 2 x 2 of those into the latents.
/// </summary>
internal static class LatentEncoderWeights
{
    public const int Width = 12;

    /// <returns>Weights by their names below "encoder.layers", as in diffusers.</returns>
    /// <param name="stages">Number of sizes of the autoencoder, at least 3; each above averages 2 x 2 pixels first.</param>
    public static IReadOnlyDictionary<string, Tensor> Of(LatentCode code, double scalingFactor, int stages = 3)
    {
        var pass = zeros([Width, 3, 3, 3]);
        var average = zeros([Width, Width, 3, 3]);
        var gather = zeros([Width, Width, 3, 3]);
        var project = zeros([Width, Width, 3, 3]);
        var last = zeros([LatentCode.Channels, Width, 3, 3]);
        var bias = new float[LatentCode.Channels];
        for (var color = 0; color < 3; color++)
        {
            Set(pass, 1, color, color, 1, 1);
            // With padding 1 and stride 2, cell i of the result covers rows 2i - 1 to 2i + 1. Taps 1 and 2 are its own pixels.
            for (var at = 0; at < 4; at++)
            {
                Set(average, .25, color, color, 1 + at / 2, 1 + at % 2);
                Set(gather, 1, at * 3 + color, color, 1 + at / 2, 1 + at % 2);
            }
        }
        for (var channel = 0; channel < LatentCode.Channels; channel++)
        {
            Set(last, 1, channel, channel, 1, 1);
            for (var value = 0; value < LatentCode.PatchValues; value++)
            {
                var component = code.Components[value * LatentCode.Channels + channel];
                var (row, column, color) = (value / 12, value / 3 % 4, value % 3);
                // The encoder gets pixels from 0 to 1, but the code is for -1 to 1.
                Set(project, 2 * component / scalingFactor, channel, (row % 2 * 2 + column % 2) * 3 + color, 1 + row / 2, 1 + column / 2);
                bias[channel] -= (float)((1 + code.Mean[value]) * component / scalingFactor);
            }
        }
        Tensor[] kernels = [pass, .. Enumerable.Repeat(average, stages - 3), gather, project, last];
        var weights = kernels.Index().ToDictionary(kernel => $"{kernel.Index}.weight", kernel => kernel.Item);
        weights["0.bias"] = zeros(Width);
        weights[$"{stages}.bias"] = tensor(bias);
        return weights;
    }

    private static void Set(Tensor kernel, double value, long output, long input, long row, long column)
    {
        using var scope = NewDisposeScope();
        kernel[output, input, row, column].Fill(value);
    }
}
