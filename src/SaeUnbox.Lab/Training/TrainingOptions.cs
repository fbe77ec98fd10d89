using System.Text.Json.Serialization;

namespace SaeUnbox.Lab;

/// <summary>How many features may be active.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<SparsityRule>))]
public enum SparsityRule
{
    /// <summary>The k largest of each position (Gao et al. 2024).</summary>
    TopK,

    /// <summary>The k * batch largest of the whole batch (Bussmann et al. 2024, arXiv 2412.06410).</summary>
    BatchTopK,
}

/// <summary>Every hyper-parameter of training one sparse autoencoder; the defaults are those of the published ones.</summary>
public sealed record TrainingOptions
{
    /// <summary>n, the size of the dictionary.</summary>
    public int Features { get; init; } = 5120;

    /// <summary>Active features per position (BatchTopK: in the mean).</summary>
    public int K { get; init; } = 10;

    /// <summary>Dead features the auxiliary loss may use per position; null: no auxiliary loss.</summary>
    public int? AuxK { get; init; } = 256;

    /// <summary>Weight of the auxiliary loss.</summary>
    public double AuxKCoefficient { get; init; } = 1.0 / 32;

    /// <summary>Vectors per step.</summary>
    public int BatchSize { get; init; } = 4096;

    public double LearningRate { get; init; } = 1e-4;

    public double Beta1 { get; init; } = 0.9;

    public double Beta2 { get; init; } = 0.999;

    public double Epsilon { get; init; } = 6.25e-10;

    /// <summary>Steps over which the learning rate rises from 0; 0: none.</summary>
    public int WarmUpSteps { get; init; }

    /// <summary>A feature that has not fired for this many vectors is dead.</summary>
    public long DeadAfterVectors { get; init; } = 10_000_000;

    public SparsityRule Sparsity { get; init; } = SparsityRule.TopK;

    /// <summary>
    /// Sizes of nested dictionaries that each must reconstruct on their own (Matryoshka: Bussmann et al. 2025,
    /// arXiv 2503.17547), rising and ending with <see cref="Features"/>; null: one dictionary.
    /// </summary>
    public IReadOnlyList<int>? PrefixSizes { get; init; }

    /// <summary>The dead threshold in steps.</summary>
    [JsonIgnore]
    public long DeadStepsThreshold => DeadAfterVectors / BatchSize;

    /// <summary>The learning rate of a step, counted from 0.</summary>
    public double LearningRateAt(long step) =>
        WarmUpSteps > 0 && step < WarmUpSteps ? LearningRate * (step + 1) / WarmUpSteps : LearningRate;

    /// <summary>The configuration of the autoencoder to be trained on vectors of this width.</summary>
    public SaeConfig ToConfig(int width)
    {
        Validate();
        var config = new SaeConfig(Features, width, K, AuxK, DeadStepsThreshold, PrefixSizes: PrefixSizes);
        config.Validate("training options");
        return config;
    }

    /// <summary>Throws a <see cref="SaeException"/> that names the option out of range.</summary>
    public void Validate()
    {
        Require(BatchSize >= 1, nameof(BatchSize), BatchSize, "at least 1");
        Require(double.IsFinite(LearningRate) && LearningRate > 0, nameof(LearningRate), LearningRate, "a number above 0");
        Require(Beta1 is >= 0 and < 1, nameof(Beta1), Beta1, "in [0, 1)");
        Require(Beta2 is >= 0 and < 1, nameof(Beta2), Beta2, "in [0, 1)");
        Require(double.IsFinite(Epsilon) && Epsilon > 0, nameof(Epsilon), Epsilon, "a number above 0");
        Require(double.IsFinite(AuxKCoefficient) && AuxKCoefficient >= 0, nameof(AuxKCoefficient), AuxKCoefficient, "at least 0");
        Require(WarmUpSteps >= 0, nameof(WarmUpSteps), WarmUpSteps, "at least 0");
        Require(DeadAfterVectors >= 0, nameof(DeadAfterVectors), DeadAfterVectors, "at least 0");

        static void Require(bool holds, string option, object value, string range)
        {
            if (!holds)
                throw new SaeException($"Training option {option} is {value}, it must be {range}.");
        }
    }
}
