using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// What the U-Net is told of the picture's size (the micro-conditioning of SDXL, arXiv 2307.01952, section 2.2). All pictures of a training
/// have one size, so what it adds is a constant that means nothing; at another size it would be another constant.
/// </summary>
internal static class SizeIds
{
    private const string Layer = "add_embedding.linear_1.";

    /// <summary>Height and width, no crop, and the wanted height and width.</summary>
    public static float[] Of(int pictureSize) => [pictureSize, pictureSize, 0, 0, pictureSize, pictureSize];

    /// <summary>The default side of the pictures of a model folder, in pixels.</summary>
    public static int PictureSizeOf(string folder) =>
        UNetConfig.From(JsonConfig.Load(Path.Combine(folder, "unet", "config.json"))).SampleSize
            * AutoencoderTinyConfig.From(JsonConfig.Load(Path.Combine(folder, "vae", "config.json"))).PixelsPerCell;

    /// <summary>Moves what pictures of one size add into the bias, so that pictures of every size get it.</summary>
    public static void MakeConstant(MiniNetwork network, int pictureSize)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var unet = network.TensorsOf("unet");
        var (weight, bias) = (unet[Layer + "weight"], unet[Layer + "bias"]);
        var embedded = Embed(Of(pictureSize), network.UNet.Config.Addition!.TimeIdChannels);
        var columns = weight.narrow(1, weight.shape[1] - embedded.Length, embedded.Length);
        bias.Accumulate((columns * tensor(embedded, device: network.Device)).sum([1L]));
        columns.zero_();
    }

    // The cosines of each number, then its sines, as in the U-Net's configuration.
    private static float[] Embed(float[] ids, int channels) =>
        [.. ids.SelectMany(id => Enumerable.Range(0, channels).Select(i =>
        {
            var angle = id * Math.Pow(10000, -(double)(i % (channels / 2)) / (channels / 2));
            return (float)(i < channels / 2 ? Math.Cos(angle) : Math.Sin(angle));
        }))];
}
