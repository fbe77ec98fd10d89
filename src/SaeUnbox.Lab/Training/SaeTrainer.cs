using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Trains a sparse autoencoder. A step works in the order of the reference: counters of silent features, auxiliary loss of the dead ones,
/// losses, gradients, directions to unit length, removal of the gradient along them, Adam.
/// </summary>
/// <remarks>
/// Gradients are computed by formulas instead of recorded. After the top-k only k of n features per row have a gradient, so that a step
/// takes one dense product (the pre-activations) and work on the active entries. Peak memory is three times the weights, for weights and
/// moments, plus batch * n pre-activations.
/// </remarks>
public sealed class SaeTrainer : IDisposable
{
    private readonly Selection _selection;
    private readonly ISparseKernels _kernels;
    private readonly Nesting _nesting;

    /// <summary>Starts at step 0, and owns <paramref name="sae"/>.</summary>
    public SaeTrainer(TrainingOptions options, SparseAutoencoder sae, double mseScale)
        : this(options, sae, mseScale, SparseKernels.For(sae.Device))
    {
    }

    internal SaeTrainer(TrainingOptions options, SparseAutoencoder sae, double mseScale, ISparseKernels kernels)
    {
        options.Validate();
        Options = options;
        Sae = sae;
        MseScale = mseScale;
        _kernels = kernels;
        _selection = Selection.For(options);
        _nesting = new Nesting(options.PrefixSizes ?? [options.Features]);
        Moments = new TrainerMoments(
            AdamMoments.Like(sae.EncoderWeight),
            AdamMoments.Like(sae.Dictionary),
            AdamMoments.Like(sae.PreBias),
            AdamMoments.Like(sae.LatentBias));
    }

    public TrainingOptions Options { get; }

    /// <summary>The current weights.</summary>
    public SparseAutoencoder Sae { get; }

    /// <summary>The scale of the reconstruction loss, see <see cref="Initialisation.MseScale"/>.</summary>
    public double MseScale { get; }

    public long StepsDone { get; internal set; }

    internal TrainerMoments Moments { get; }

    /// <summary>Starts with random weights, and centre and scale of a sample [p, d] of the data.</summary>
    public static SaeTrainer Start(TrainingOptions options, Tensor sample, ulong seed)
    {
        var mseScale = Initialisation.MseScale(sample);
        return new SaeTrainer(options, Initialisation.Create(options, sample, seed), mseScale);
    }

    /// <summary>Starts with a trained autoencoder, which it owns, and the scale of a sample [p, d] of the data.</summary>
    /// <exception cref="SaeException">The sizes of the autoencoder differ from those of the options.</exception>
    public static SaeTrainer StartFrom(TrainingOptions options, SparseAutoencoder sae, Tensor sample)
    {
        var wanted = options.ToConfig((int)sample.shape[1]);
        if ((sae.Config.Features, sae.Config.Width) != (wanted.Features, wanted.Width))
        {
            var message = $"The autoencoder to start from has {sae.Config.Features} features of {sae.Config.Width} channels; "
                + $"the training needs {wanted.Features} of {wanted.Width}.";
            sae.Dispose();
            throw new SaeException(message);
        }
        sae.Config = wanted;
        sae.StatsLastNonzero.zero_(); // counts silent features from here on
        return new SaeTrainer(options, sae, Initialisation.MseScale(sample));
    }

    /// <summary>Does one step on a batch [rows, d].</summary>
    /// <exception cref="SaeException">The batch has another shape.</exception>
    public StepReport Step(Tensor batch)
    {
        if (batch.shape.Length != 2 || batch.shape[1] != Sae.Config.Width || batch.shape[0] == 0)
            throw new SaeException($"A training batch has shape [{string.Join(", ", batch.shape)}] instead of [rows, {Sae.Config.Width}].");
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        var x = batch.to(Sae.Device).to(ScalarType.Float32);
        var preActivations = Sae.PreActivations(x);
        var (raw, entries) = _selection.Choose(preActivations);
        LastNonzero.Update(Sae.StatsLastNonzero, entries.Columns, raw);
        if (Options.Sparsity == SparsityRule.BatchTopK)
            Sae.Config = Sae.Config with { Threshold = ThresholdEstimate.Next(Sae.Config.Threshold, raw) };

        var reconstructions = _kernels.Decode(entries, Sae.Dictionary, Sae.PreBias, _nesting);
        var reconstruction = reconstructions[_nesting.Groups - 1];
        var auxiliary = Options.AuxK is { } auxK
            ? AuxiliaryLoss.Of(Sae, x, reconstruction, preActivations, auxK, Options.AuxKCoefficient)
            : new AuxiliaryLoss(0, null, null, null, null);
        var errors = reconstructions - x;
        var report = Report(x, reconstruction, errors, auxiliary, entries);
        Update(x, errors, entries, auxiliary, report.LearningRate);
        StepsDone++;
        return report;
    }

    public void Dispose()
    {
        Moments.Dispose();
        Sae.Dispose();
    }

    private void Update(Tensor x, Tensor errors, ActiveEntries entries, AuxiliaryLoss auxiliary, double learningRate)
    {
        // A group contributes to the reconstruction of its own prefix and of every larger one, so gradients add up from the end.
        var upstream = errors.MultiplyInPlace(2 * MseScale / (x.numel() * (double)_nesting.Groups));
        for (var group = _nesting.Groups - 2; group >= 0; group--)
            upstream[group].Accumulate(upstream[group + 1]);

        var preActivationGradients = _kernels.EntryGradients(entries, Sae.Dictionary, upstream, _nesting)
            .mul_(entries.Values.IsAbove(0).to(ScalarType.Float32));
        var latentBias = zeros_like(Sae.LatentBias).scatter_add_(0, entries.Columns, preActivationGradients);
        var preBias = upstream[0].sum([0]);
        var centred = x - Sae.PreBias;
        Tensor? deadEncoder = null;
        if (auxiliary.Dead is { } dead)
        {
            latentBias.AccumulateAt(dead, auxiliary.PreActivationGradients!.sum([0]));
            deadEncoder = auxiliary.PreActivationGradients.t().mm(centred);
        }

        // b_pre is added in the decoder and subtracted before the encoder.
        preBias.sub_(latentBias.unsqueeze(0).mm(Sae.EncoderWeight).view(-1));
        if (auxiliary.PreBiasGradient is { } auxiliaryPreBias)
            preBias.Accumulate(auxiliaryPreBias);

        var adam = AdamStep.At(StepsDone + 1, learningRate, Options.Beta1, Options.Beta2, Options.Epsilon);
        _kernels.UpdateWeights(new WeightUpdate(
            entries,
            _nesting,
            centred,
            upstream,
            preActivationGradients,
            auxiliary.Dead,
            deadEncoder,
            auxiliary.DictionaryGradient,
            Sae.EncoderWeight,
            Sae.Dictionary,
            Moments.Encoder,
            Moments.Dictionary,
            adam));
        _kernels.UpdateVector(Sae.PreBias, preBias, Moments.PreBias, adam);
        _kernels.UpdateVector(Sae.LatentBias, latentBias, Moments.LatentBias, adam);
    }

    private StepReport Report(Tensor x, Tensor reconstruction, Tensor errors, AuxiliaryLoss auxiliary, ActiveEntries entries)
    {
        var counters = Sae.StatsLastNonzero;
        var rows = (double)x.shape[0];
        return new StepReport(
            StepsDone,
            MseScale * (errors * errors).mean().item<float>(),
            auxiliary.Value,
            ExplainedVariance.PerChannel(reconstruction, x),
            (RowNorms(reconstruction) / RowNorms(x)).mean().item<float>(),
            counters.IsAbove(Sae.Config.DeadStepsThreshold).sum().item<long>(),
            entries.Values.IsAbove(0).sum().item<long>() / rows,
            Options.LearningRateAt(StepsDone),
            new SilentShares(Silent(1e4), Silent(1e6), Silent(1e7)));

        double Silent(double vectors) => counters.IsAbove(vectors / rows).sum().item<long>() / (double)counters.numel();
    }

    private static Tensor RowNorms(Tensor rows) => (rows * rows).sum(1).sqrt();
}

/// <summary>Adam's state of the four parameters.</summary>
internal sealed record TrainerMoments(AdamMoments Encoder, AdamMoments Dictionary, AdamMoments PreBias, AdamMoments LatentBias)
    : IDisposable
{
    public void Dispose()
    {
        Encoder.Dispose();
        Dictionary.Dispose();
        PreBias.Dispose();
        LatentBias.Dispose();
    }
}

/// <summary>The measurements of a training step, before it updates the weights.</summary>
/// <param name="Step">The number of the step, counted from 0.</param>
/// <param name="Reconstruction">MSE scale * mean squared error; with nested dictionaries the mean over them.</param>
/// <param name="Auxiliary">Weight of the auxiliary loss * <see cref="AuxiliaryLoss"/>.</param>
/// <param name="ExplainedVariance">1 - var(residual) / var(x) of each channel, averaged, as in the reference.</param>
/// <param name="NormRatio">Mean of |x_hat| / |x|.</param>
/// <param name="Dead">Number of dead features.</param>
/// <param name="ActivePerPosition">Mean number of features with a value above 0.</param>
/// <param name="Silent">Shares of silent features, as the reference logs them.</param>
public sealed record StepReport(
    long Step,
    double Reconstruction,
    double Auxiliary,
    double ExplainedVariance,
    double NormRatio,
    long Dead,
    double ActivePerPosition,
    double LearningRate,
    SilentShares Silent)
{
    public double Total => Reconstruction + Auxiliary;
}

/// <summary>Shares of features that were not active for more than 10^4, 10^6 and 10^7 vectors.</summary>
public readonly record struct SilentShares(double TenThousand, double Million, double TenMillion);

/// <summary>The initial weights of an autoencoder, and the scale of its loss.</summary>
public static class Initialisation
{
    private const int CentreSample = 32768;

    /// <summary>
    /// An autoencoder with random tied weights: the encoder is uniform in +-1/sqrt(d), the directions are its rows at unit length, and
    /// b_pre is the geometric median of the first 32,768 vectors of the sample.
    /// </summary>
    /// <param name="sample">[p, d].</param>
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
    /// 1 / mean squared distance of the sample [p, d] from the means of its channels. It makes the losses of different sites comparable.
    /// </summary>
    /// <exception cref="SaeException">All vectors are equal.</exception>
    public static double MseScale(Tensor sample)
    {
        using var scope = NewDisposeScope();
        var values = sample.to(ScalarType.Float32);
        var difference = values.mean([0]) - values;
        var spread = difference.mul_(difference).mean().item<float>();
        return spread > 0
            ? (float)(1 / spread)
            : throw new SaeException("All vectors of the sample are equal, so that there is nothing to learn.");
    }
}

/// <summary>The point with the smallest sum of distances to all points, by Weiszfeld's iteration (Tôhoku Math. J. 43, 1937).</summary>
public static class GeometricMedian
{
    private const double SmallestDistance = 1e-6;
    private const double Tolerance = 1e-20;
    private const int MaxIterations = 100;

    /// <summary>Starts at the mean, and stops when the sum of distances no longer changes.</summary>
    /// <param name="points">[p, d] float32.</param>
    /// <returns>[d].</returns>
    public static Tensor Of(Tensor points)
    {
        using var _ = no_grad();
        using var scope = NewDisposeScope();
        // Subtracting the mean first keeps precision if the mean is large.
        var mean = points.mean([0]);
        var centred = points - mean;
        var median = zeros_like(mean);
        var distances = Distances(centred, median);
        var objective = distances.sum().item<float>();
        for (var i = 0; i < MaxIterations; i++)
        {
            using var iteration = NewDisposeScope();
            var weights = distances.AtLeast(SmallestDistance).reciprocal();
            weights = weights / weights.sum();
            median = Weighted(centred, weights).MoveToOuterDisposeScope();
            var previous = objective;
            distances = Distances(centred, median).MoveToOuterDisposeScope();
            objective = distances.sum().item<float>();
            if (Math.Abs(previous - objective) <= Tolerance * objective)
                break;
        }

        return mean.Plus(median).MoveToOuterDisposeScope();
    }

    // Each frees its matrix of the points' size at once.
    private static Tensor Weighted(Tensor points, Tensor weights)
    {
        using var scope = NewDisposeScope();
        return (points * weights.view(-1, 1)).sum([0]).MoveToOuterDisposeScope();
    }

    private static Tensor Distances(Tensor points, Tensor centre)
    {
        using var scope = NewDisposeScope();
        var difference = points - centre;
        return difference.mul_(difference).sum(1).sqrt().MoveToOuterDisposeScope();
    }
}
