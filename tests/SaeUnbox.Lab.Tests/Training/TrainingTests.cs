using System.Text.Json;
using SaeUnbox.Testing;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static SaeUnbox.Testing.GoldenTensors;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

public class TrainingTests
{
    private const double StateTolerance = 1e-4;
    private const double LossTolerance = 1e-5;
    private const string File = "train/train.safetensors";

    private static readonly JsonElement Expected = Goldens.Json("train", "train.json");

    public static MatrixTheoryData<int, bool> Runs() =>
        new([.. Indices()], [false, true]);

    [Theory]
    [MemberData(nameof(Runs))]
    public void Step_ReferenceBatches_GivesReferenceNumbers(int index, bool byTensorOperators)
    {
        using var scope = NewDisposeScope();
        using var trainer = Start(index, byTensorOperators ? new TensorKernels() : new CpuKernels());
        var batches = Read(File, "train_batches");
        foreach (var step in Steps(index))
        {
            var number = step.GetProperty("step").GetInt32();
            var report = trainer.Step(batches[number]);
            Assert.Equal(number, report.Step);
            Relative(step, "recons", report.Reconstruction);
            Relative(step, "auxk", report.Auxiliary);
            Relative(step, "total", report.Total);
            Relative(step, "explained_variance", report.ExplainedVariance);
            Relative(step, "l2_div", report.NormRatio);
            Assert.Equal(step.GetProperty("dead_after_step").GetInt64(), report.Dead);
            Assert.Equal(step.GetProperty("not_activated_1e4").GetDouble(), report.Silent.TenThousand);
            Assert.Equal(step.GetProperty("not_activated_1e6").GetDouble(), report.Silent.Million);
            Assert.Equal(step.GetProperty("not_activated_1e7").GetDouble(), report.Silent.TenMillion);
            AssertState(trainer, $"sae{index}/after_step_{number + 1}/");
        }

        static void Relative(JsonElement step, string name, double actual)
        {
            var expected = step.GetProperty(name).GetDouble();
            Assert.True(Math.Abs(actual - expected) <= LossTolerance * Math.Abs(expected) + 1e-7, $"{name}: {actual}, expected {expected}");
        }
    }

    [Fact]
    public void GeometricMedian_StatsSample_EqualsTheReference()
    {
        using var scope = NewDisposeScope();
        TensorAssert.Close(Read(File, "geometric_median"), GeometricMedian.Of(StatsSample()), StateTolerance, "median");
    }

    [Fact]
    public void MseScale_StatsSample_EqualsTheReference()
    {
        using var scope = NewDisposeScope();
        Assert.Equal(Expected.GetProperty("mse_scale").GetDouble(), Initialisation.MseScale(StatsSample()), 1e-6);
    }

    [Fact]
    public void Create_FreshAutoencoder_IsTiedAndOfUnitLength()
    {
        using var scope = NewDisposeScope();
        using var sae = Initialisation.Create(OptionsOf(0), StatsSample(), 7);
        using var again = Initialisation.Create(OptionsOf(0), StatsSample(), 7);
        var lengths = (sae.Dictionary * sae.Dictionary).sum(1);
        TensorAssert.Close(ones_like(lengths), lengths, 1e-5, "lengths");
        var encoderLengths = (sae.EncoderWeight * sae.EncoderWeight).sum(1).sqrt().unsqueeze(1);
        TensorAssert.Close(sae.EncoderWeight / encoderLengths, sae.Dictionary, 1e-6, "directions");
        TensorAssert.Close(Read(File, "geometric_median"), sae.PreBias, StateTolerance, "centre");
        Assert.Equal(again.EncoderWeight.Floats(), sae.EncoderWeight.Floats());
    }

    [Fact]
    public void Step_WrongWidth_NamesTheShape()
    {
        using var scope = NewDisposeScope();
        using var trainer = Start(0, new CpuKernels());
        Assert.Contains("[3, 2]", Assert.Throws<SaeException>(() => trainer.Step(zeros([3, 2]))).Message);
    }

    [Theory]
    [InlineData(0, 1e-3)]
    [InlineData(1, 2e-3)]
    [InlineData(4, 5e-3)]
    [InlineData(9, 5e-3)]
    public void LearningRateAt_WarmUp_RisesThenStays(long step, double expected) =>
        Assert.Equal(expected, new TrainingOptions { LearningRate = 5e-3, WarmUpSteps = 5 }.LearningRateAt(step), 1e-12);

    internal static Tensor StatsSample()
    {
        var batches = Read(File, "stats_batches");
        return batches.view(-1, batches.shape[^1]);
    }

    internal static IEnumerable<int> Indices() => Enumerable.Range(0, Expected.GetProperty("saes").GetArrayLength());

    internal static TrainingOptions OptionsOf(int index)
    {
        var sae = Expected.GetProperty("saes")[index];
        var betas = sae.GetProperty("betas");
        var batch = sae.GetProperty("batch").GetInt32();
        return new TrainingOptions
        {
            Features = sae.GetProperty("n_dirs").GetInt32(),
            K = sae.GetProperty("k").GetInt32(),
            AuxK = sae.GetProperty("auxk").GetInt32(),
            AuxKCoefficient = sae.GetProperty("auxk_coef").GetDouble(),
            BatchSize = batch,
            LearningRate = sae.GetProperty("lr").GetDouble(),
            Beta1 = betas[0].GetDouble(),
            Beta2 = betas[1].GetDouble(),
            Epsilon = sae.GetProperty("eps").GetDouble(),
            DeadAfterVectors = sae.GetProperty("dead_steps_threshold").GetInt64() * batch,
        };
    }

    internal static SaeTrainer Start(int index, ISparseKernels kernels)
    {
        var options = OptionsOf(index);
        var start = $"sae{index}/initial/";
        var preBias = Read(File, start + "pre_bias");
        var sae = new SparseAutoencoder(
            options.ToConfig((int)preBias.shape[0]),
            Read(File, start + "encoder.weight"),
            Read(File, start + "decoder.weight").t().contiguous(),
            preBias,
            Read(File, start + "latent_bias"),
            Read(File, start + "stats_last_nonzero"));
        return new SaeTrainer(options, sae, Expected.GetProperty("mse_scale").GetDouble(), kernels);
    }

    private static IEnumerable<JsonElement> Steps(int index) => Expected.GetProperty("saes")[index].GetProperty("steps").EnumerateArray();

    private static void AssertState(SaeTrainer trainer, string prefix)
    {
        using var scope = NewDisposeScope();
        var sae = trainer.Sae;
        Compare("encoder.weight", sae.EncoderWeight);
        Compare("decoder.weight", sae.Dictionary.t());
        Compare("pre_bias", sae.PreBias);
        Compare("latent_bias", sae.LatentBias);
        if (Has(File, prefix + "stats_last_nonzero"))
            Assert.Equal(Read(File, prefix + "stats_last_nonzero").Integers(), sae.StatsLastNonzero.Integers());

        void Compare(string name, Tensor actual)
        {
            if (Has(File, prefix + name))
                TensorAssert.Close(Read(File, prefix + name), actual, StateTolerance, prefix + name);
        }
    }
}
