using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Lab;

/// <summary>
/// Trains one sparse autoencoder step by step, in the reference's order: counters, auxiliary loss over the dead, losses,
/// gradients, directions to unit length, parallel gradient removed, Adam.
/// </summary>
/// <remarks>
/// Gradients are written out instead of recorded: behind the top-k only k of n features per row have any, so one step
/// costs one dense product (the pre-activations) plus work on the active entries.
/// Peak memory: three times the weights (moments), plus batch * n pre-activations.
/// </remarks>
public sealed class SaeTrainer : IDisposable
{
    private readonly Selection _selection;
    private readonly ISparseKernels _kernels;
    private readonly Nesting _nesting;

    /// <summary>A trainer that owns <paramref name="sae"/> and starts at step 0.</summary>
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

    /// <summary>The weights as they are now.</summary>
    public SparseAutoencoder Sae { get; }

    /// <summary>Scale of the reconstruction loss, see <see cref="Initialisation.MseScale"/>.</summary>
    public double MseScale { get; }

    /// <summary>Steps done.</summary>
    public long StepsDone { get; internal set; }

    internal TrainerMoments Moments { get; }

    /// <summary>A trainer for vectors like the sample's: random weights, the sample's centre and scale.</summary>
    public static SaeTrainer Start(TrainingOptions options, Tensor sample, ulong seed)
    {
        var mseScale = Initialisation.MseScale(sample);
        return new SaeTrainer(options, Initialisation.Create(options, sample, seed), mseScale);
    }

    /// <summary>A trainer that goes on from a trained autoencoder, which it owns, on vectors like the sample's.</summary>
    /// <exception cref="SaeException">The autoencoder's form is not that of the options.</exception>
    public static SaeTrainer GoOn(TrainingOptions options, SparseAutoencoder sae, Tensor sample)
    {
        var wanted = options.ToConfig((int)sample.shape[1]);
        if ((sae.Config.Features, sae.Config.Width) != (wanted.Features, wanted.Width))
        {
            var message = $"The autoencoder to go on from has {sae.Config.Features} features of width {sae.Config.Width}, wanted are {wanted.Features} of {wanted.Width}.";
            sae.Dispose();
            throw new SaeException(message);
        }
        sae.Config = wanted;
        // Who is dead is found anew.
        sae.StatsLastNonzero.zero_();
        return new SaeTrainer(options, sae, Initialisation.MseScale(sample));
    }

    /// <summary>One step on a batch [rows, d].</summary>
    public StepReport Step(Tensor batch)
    {
        if (batch.shape.Length != 2 || batch.shape[1] != Sae.Config.Width || batch.shape[0] == 0)
            throw new SaeException(
                $"A training batch has shape [{string.Join(", ", batch.shape)}], expected [rows, {Sae.Config.Width}].");
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
        // A group takes part in its own and every larger prefix's reconstruction: sum the gradients from the end.
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
            latentBias.AccumulateAt(0, dead, auxiliary.PreActivationGradients!.sum([0]));
            deadEncoder = auxiliary.PreActivationGradients.t().mm(centred);
        }

        // b_pre stands in the reconstruction and, with the opposite sign, before the encoder.
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

/// <summary>What one training step measured, before its weight update.</summary>
/// <param name="Step">Counted from 0.</param>
/// <param name="Reconstruction">mse_scale * mean squared error (nested: the mean over the prefixes).</param>
/// <param name="Auxiliary">auxk coefficient * normalised error of the dead features' reconstruction of the residual.</param>
/// <param name="ExplainedVariance">The reference's: 1 - var(residual) / var(x) per channel, averaged.</param>
/// <param name="NormRatio">Mean of |x_hat| / |x|.</param>
/// <param name="Dead">Features over the dead threshold.</param>
/// <param name="ActivePerPosition">Mean number of features with a value above 0.</param>
/// <param name="LearningRate">The rate of this step.</param>
/// <param name="Silent">How many features have long been silent, as the reference logs it.</param>
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

/// <summary>Shares of features that have not fired for more than so many vectors.</summary>
public readonly record struct SilentShares(double TenThousand, double Million, double TenMillion);
