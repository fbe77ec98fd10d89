using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>The start of training: random tied weights, the data's centre, and the scale of the loss.</summary>
public static class Initialisation
{
    /// <summary>The sample's vectors the centre is taken from.</summary>
    private const int CentreSample = 32768;

    /// <summary>
    /// A fresh autoencoder: encoder uniform in +-1/sqrt(d), directions the encoder's rows at unit length,
    /// b_pre the geometric median of the sample's first 32768 vectors.
    /// </summary>
    public static SparseAutoencoder Create(TrainingOptions options, Tensor sample, ulong seed)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var width = (int)sample.shape[1];
        var config = options.ToConfig(width);
        using var generator = new Generator(seed);
        var bound = 1 / Math.Sqrt(width);
        var encoder = rand([config.Features, width], dtype: ScalarType.Float32, generator: generator).Times(2 * bound).Minus(bound);
        var dictionary = encoder / (encoder * encoder).sum(1).sqrt().unsqueeze(1);
        var device = sample.device;
        var centre = GeometricMedian.Of(sample.narrow(0, 0, Math.Min(CentreSample, sample.shape[0])).to(ScalarType.Float32));
        return new SparseAutoencoder(
            config,
            encoder.to(device).DetachFromDisposeScope(),
            dictionary.to(device).DetachFromDisposeScope(),
            centre.DetachFromDisposeScope(),
            zeros([config.Features], dtype: ScalarType.Float32, device: device).DetachFromDisposeScope(),
            zeros([config.Features], dtype: ScalarType.Int64, device: device).DetachFromDisposeScope());
    }

    /// <summary>
    /// 1 / mean squared distance of the sample's values from their channel's mean: makes losses comparable between sites.
    /// </summary>
    public static double MseScale(Tensor sample)
    {
        using var scope = NewDisposeScope();
        var values = sample.to(ScalarType.Float32);
        var difference = values.mean([0]) - values;
        var spread = (difference * difference).mean().item<float>();
        return spread > 0
            ? (float)(1 / spread)
            : throw new SaeException("The sample's vectors are all equal: nothing can be learned from them.");
    }
}
