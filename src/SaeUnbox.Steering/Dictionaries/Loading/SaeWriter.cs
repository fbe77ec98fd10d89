using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>Writes sparse autoencoders so that the reference can load them.</summary>
public static class SaeWriter
{
    /// <summary>
    /// Writes a folder in the reference's layout: <c>config.json</c>, <c>state_dict.pth</c> (the decoder column-major), and
    /// <c>mean.pt</c>, <c>std.pt</c> where they are known.
    /// </summary>
    /// <param name="sae">What is written.</param>
    /// <param name="folder">Made where it is missing.</param>
    /// <param name="dtype">Of the weights: Float16 takes half the room; readers make float32 of it.</param>
    /// <exception cref="CheckpointException">A file cannot be written.</exception>
    public static void Save(SparseAutoencoder sae, string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var scope = NewDisposeScope();
        Files.CreateFolder(folder);
        TorchFileWriter.Write(Path.Combine(folder, "state_dict.pth"), new Dictionary<string, object?>
        {
            [TensorNames.StateDict] = new Dictionary<string, object?>
            {
                [TensorNames.PreBias] = sae.PreBias.cpu().to(dtype),
                [TensorNames.LatentBias] = sae.LatentBias.cpu().to(dtype),
                [TensorNames.StatsLastNonzero] = sae.StatsLastNonzero.cpu(),
                [TensorNames.EncoderWeight] = sae.EncoderWeight.cpu().to(dtype),
                [TensorNames.DecoderWeight] = sae.Dictionary.cpu().to(dtype).t(),
            },
        });
        AtomicFile.WriteAllText(Path.Combine(folder, "config.json"), sae.Config.ToJson());
        if (sae.Scale is { } scale)
            SaveScale(scale, folder);
    }

    /// <summary>Writes <c>mean.pt</c> and <c>std.pt</c>, bare tensors, beside an autoencoder's weights.</summary>
    public static void SaveScale(ActivationScale scale, string folder)
    {
        using var scope = NewDisposeScope();
        TorchFileWriter.Write(Path.Combine(folder, "mean.pt"), tensor(scale.Mean.ToArray()));
        if (scale.StandardDeviation is { } deviation)
            TorchFileWriter.Write(Path.Combine(folder, "std.pt"), tensor(deviation.ToArray()));
    }
}
