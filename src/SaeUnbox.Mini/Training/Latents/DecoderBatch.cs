using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Crops of fresh scenes for the decoder. A crop may lie at the picture's border, and then the border counts.</summary>
/// <param name="Latents">[B, 4, c, c], noisy.</param>
/// <param name="Pixels">[B, 3, 4c, 4c], -1 to 1.</param>
/// <param name="Weights">[B, 1, 4c, 4c]: 0 where the crop's own edge hides what the decoder would see, else 1.</param>
internal sealed record DecoderBatch(Tensor Latents, Tensor Pixels, Tensor Weights)
{
    private const int Margin = 8;

    public static DecoderBatch Draw(Random random, MiniTrainingOptions options, LatentCode code, Device device)
    {
        var (batch, crop) = (options.Decoder.Batch, options.Decoder.Crop);
        var (cells, side) = (options.PictureSize / LatentCode.Patch, crop * LatentCode.Patch);
        var latents = new float[batch * LatentCode.Channels * crop * crop];
        var pixels = new float[batch * 3 * side * side];
        var weights = new float[batch * side * side];
        for (var i = 0; i < batch; i++)
        {
            var picture = SceneRenderer.Render(SceneStream.Draw(random, options.Scenes), options.PictureSize);
            var whole = code.Encode(picture);
            var (top, left) = (Place(), Place());
            for (var c = 0; c < LatentCode.Channels; c++)
                for (var y = 0; y < crop; y++)
                    for (var x = 0; x < crop; x++)
                        latents[((i * LatentCode.Channels + c) * crop + y) * crop + x] =
                            whole[(c * cells + top + y) * cells + left + x] + (float)(options.Decoder.LatentNoise * Gauss.Next(random));
            for (var y = 0; y < side; y++)
                for (var x = 0; x < side; x++)
                {
                    var (row, column) = (top * LatentCode.Patch + y, left * LatentCode.Patch + x);
                    for (var c = 0; c < 3; c++)
                        pixels[((i * 3 + c) * side + y) * side + x] = picture.Rgb[(row * picture.Size + column) * 3 + c] / 127.5f - 1;
                    weights[(i * side + y) * side + x] = Inside(y, top) && Inside(x, left) ? 1 : 0;
                }
        }
        return new(tensor(latents, device: device).reshape(batch, LatentCode.Channels, crop, crop), tensor(pixels, device: device).reshape(batch, 3, side, side),
            tensor(weights, device: device).reshape(batch, 1, side, side));

        // A tenth of the places on each side are pressed against the border.
        int Place() => Math.Clamp(random.Next(-cells / 10, cells - crop + 1 + cells / 10), 0, cells - crop);

        bool Inside(int at, int start) => (at >= Margin || start == 0) && (at < side - Margin || start == cells - crop);
    }
}
