using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>
/// Start values that let the coarse levels see the noise at once: four channels carry it unchanged through the first convolution, the
/// halvings average it (times two, so that it keeps unit variance), and the shortcuts pass it on where the width changes.
/// </summary>
internal static class NetworkStart
{
    public static void Apply(MiniNetwork network)
    {
        using var noGrad = no_grad();
        var unet = network.TensorsOf("unet");
        foreach (var (name, tensor) in unet)
            if (name.EndsWith("conv2.weight", StringComparison.Ordinal))
                tensor.MultiplyInPlace(.1);
        Carry(unet, "conv_in", kernel => kernel[1, 1].Fill(1));
        foreach (var name in unet.Keys.Where(name => name.EndsWith("downsamplers.0.conv.weight", StringComparison.Ordinal)))
            Carry(unet, name[..^".weight".Length], kernel => kernel.narrow(0, 1, 2).narrow(1, 1, 2).Fill(.5));
        foreach (var name in unet.Keys.Where(name => name.StartsWith("down_blocks", StringComparison.Ordinal) && name.EndsWith("conv_shortcut.weight", StringComparison.Ordinal)))
            Carry(unet, name[..^".weight".Length], kernel => kernel[0, 0].Fill(1));
    }

    /// <summary>The weights of a trained model; its label heads where the folder holds them.</summary>
    public static void Take(MiniNetwork network, MiniFolder start)
    {
        using var noGrad = no_grad();
        foreach (var part in (string[])["unet", "text_encoder", "text_encoder_2"])
            start.ReadPart(part, network.TensorsOf(part));
        if (!File.Exists(start.Heads))
            return;
        using var heads = Checkpoint.Open(start.Heads);
        foreach (var (name, tensor) in network.TensorsOf("heads"))
            heads.Read(name, tensor);
    }

    private static void Carry(IReadOnlyDictionary<string, Tensor> weights, string convolution, Action<Tensor> setKernel)
    {
        using var scope = NewDisposeScope();
        var weight = weights[convolution + ".weight"];
        weight.narrow(0, 0, LatentCode.Channels).zero_();
        weights[convolution + ".bias"].narrow(0, 0, LatentCode.Channels).zero_();
        for (var channel = 0; channel < LatentCode.Channels; channel++)
            setKernel(weight[channel, channel]);
    }
}
