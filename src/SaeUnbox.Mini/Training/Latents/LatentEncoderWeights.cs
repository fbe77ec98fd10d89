using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// The linear code as the encoder of an AutoencoderTiny without residual blocks, of three stages: its convolutions alone are linear.
/// Stage one passes the colours on, stage two gathers 2x2 pixels into 12 channels, stage three 2x2 of those into the latents.
/// </summary>
internal static class LatentEncoderWeights
{
    public const int Width = 12;

    /// <summary>Names below "encoder.layers", as diffusers numbers them.</summary>
    public static IReadOnlyDictionary<string, Tensor> Of(LatentCode code, double scalingFactor)
    {
        var pass = zeros([Width, 3, 3, 3]);
        var gather = zeros([Width, Width, 3, 3]);
        var project = zeros([Width, Width, 3, 3]);
        var last = zeros([LatentCode.Channels, Width, 3, 3]);
        var bias = new float[LatentCode.Channels];
        for (var color = 0; color < 3; color++)
        {
            Set(pass, 1, color, color, 1, 1);
            // With padding 1 and stride 2, cell i of the result sees rows 2i - 1, 2i and 2i + 1: taps 1 and 2 are its own.
            for (var at = 0; at < 4; at++)
                Set(gather, 1, at * 3 + color, color, 1 + at / 2, 1 + at % 2);
        }
        for (var channel = 0; channel < LatentCode.Channels; channel++)
        {
            Set(last, 1, channel, channel, 1, 1);
            for (var value = 0; value < LatentCode.PatchValues; value++)
            {
                var component = code.Components[value * LatentCode.Channels + channel];
                var (row, column, color) = (value / 12, value / 3 % 4, value % 3);
                // The encoder sees pixels from 0 to 1, the code is made for -1 to 1.
                Set(project, 2 * component / scalingFactor, channel, (row % 2 * 2 + column % 2) * 3 + color, 1 + row / 2, 1 + column / 2);
                bias[channel] -= (float)((1 + code.Mean[value]) * component / scalingFactor);
            }
        }
        return new Dictionary<string, Tensor>
        {
            ["0.weight"] = pass,
            ["0.bias"] = zeros(Width),
            ["1.weight"] = gather,
            ["2.weight"] = project,
            ["3.weight"] = last,
            ["3.bias"] = tensor(bias),
        };
    }

    private static void Set(Tensor kernel, double value, long output, long input, long row, long column) =>
        kernel[output, input, row, column].Fill(value);
}
