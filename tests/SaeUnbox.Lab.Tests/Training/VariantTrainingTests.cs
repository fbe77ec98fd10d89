using SaeUnbox.Testing;
using static SaeUnbox.Steering.Tests.GoldenSaes;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

public class VariantTrainingTests
{
    private const int Width = 16;
    private const int Features = 48;
    private const int Batch = 64;

    private static readonly int[] Prefixes = [8, 20, Features];

    private static readonly TrainingOptions Options = new()
    {
        Features = Features,
        K = 3,
        AuxK = 8,
        BatchSize = Batch,
        LearningRate = 5e-3,
        DeadAfterVectors = 10 * Batch,
    };

    public static MatrixTheoryData<SparsityRule, bool> Variants() => new([SparsityRule.TopK, SparsityRule.BatchTopK], [false, true]);

    [Theory]
    [MemberData(nameof(Variants))]
    public void Step_Gradients_MatchAutograd(SparsityRule sparsity, bool nested)
    {
        using var scope = NewDisposeScope();
        // With no memory of gradients and a huge epsilon one Adam step is one gradient step of length 1.
        var options = Options with
        {
            Sparsity = sparsity,
            PrefixSizes = nested
                ? Prefixes
                : null,
            AuxK = null,
            LearningRate = 1e6,
            Epsilon = 1e6,
            Beta1 = 0,
            Beta2 = 0,
        };
        var x = SyntheticData.Make(Batch, Width, 24, 1);
        using var sae = Initialisation.Create(options, x, 3);
        var (encoder, dictionary, preBias, latentBias) =
            (Leaf(sae.EncoderWeight), Leaf(sae.Dictionary), Leaf(sae.PreBias), Leaf(sae.LatentBias));
        var preActivations = nn.functional.linear(x - preBias, encoder, latentBias);
        var codes = preActivations.relu() * Mask(preActivations.detach(), sparsity, options.K);
        var sizes = nested ? Prefixes : [Features];
        var loss = sizes
            .Select(size => codes.narrow(1, 0, size).mm(dictionary.narrow(0, 0, size)).Plus(preBias) - x)
            .Select(error => (error * error).mean().Times(0.7 / sizes.Length))
            .Aggregate((sum, term) => sum.Plus(term));
        loss.backward();

        var before = new[] { sae.EncoderWeight, sae.Dictionary, sae.PreBias, sae.LatentBias }.Select(tensor => tensor.clone()).ToArray();
        using var trainer = new SaeTrainer(options, sae, mseScale: 0.7);
        var report = trainer.Step(x);

        Assert.Equal(loss.item<float>(), report.Reconstruction, 1e-5);
        var dictionaryGradient = dictionary.grad!;
        var parallel = (dictionaryGradient * before[1]).sum(1).unsqueeze(1) * before[1];
        TensorAssert.Close(encoder.grad!, before[0] - sae.EncoderWeight, 2e-6, "encoder");
        TensorAssert.Close(dictionaryGradient - parallel, before[1] - sae.Dictionary, 2e-6, "dictionary");
        TensorAssert.Close(preBias.grad!, before[2] - sae.PreBias, 2e-6, "pre_bias");
        TensorAssert.Close(latentBias.grad!, before[3] - sae.LatentBias, 2e-6, "latent_bias");
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(3, true)]
    [InlineData(Features, false)]
    [InlineData(Features, true)]
    public void Step_DeadFeatures_MatchTheAuxiliaryLossOfAutograd(int auxK, bool byTensorOperators)
    {
        using var scope = NewDisposeScope();
        var options = Options with { LearningRate = 1e6, Epsilon = 1e6, Beta1 = 0, Beta2 = 0, AuxK = auxK, AuxKCoefficient = 0.5 };
        // So few rows that many features stay silent.
        var x = SyntheticData.Make(12, Width, 24, 1);
        using var sae = Initialisation.Create(options, x, 3);
        sae.StatsLastNonzero.Fill(1000);
        var (encoder, dictionary, preBias, latentBias) =
            (Leaf(sae.EncoderWeight), Leaf(sae.Dictionary), Leaf(sae.PreBias), Leaf(sae.LatentBias));
        var preActivations = nn.functional.linear(x - preBias, encoder, latentBias);
        var codes = preActivations.relu() * Mask(preActivations.detach(), SparsityRule.TopK, options.K);
        var reconstruction = codes.mm(dictionary).Plus(preBias);

        var dead = sae.StatsLastNonzero.IsAbove(500).logical_and(codes.detach().IsAbove(1e-3).sum([0]).Is(0)).to(ScalarType.Float32);
        var ofDead = preActivations * dead;
        var auxiliary = (ofDead.relu() * Mask(ofDead.detach(), SparsityRule.TopK, auxK)).mm(dictionary).Plus(preBias);
        var target = (x - reconstruction).Plus(preBias).detach();
        var centred = target.mean([0]) - target;
        var error = auxiliary - target;
        var auxiliaryLoss = ((error * error).mean() / (centred * centred).mean()).Times(options.AuxKCoefficient);
        var residual = reconstruction - x;
        (residual * residual).mean().Plus(auxiliaryLoss).backward();

        var before = new[] { sae.EncoderWeight, sae.Dictionary, sae.PreBias, sae.LatentBias }.Select(tensor => tensor.clone()).ToArray();
        using var trainer = new SaeTrainer(options, sae, mseScale: 1, byTensorOperators ? new TensorKernels() : new CpuKernels());
        var report = trainer.Step(x);

        Assert.Equal((long)dead.sum().item<float>(), report.Dead);
        Assert.InRange(report.Dead, 4, Features - 1);
        Assert.Equal(auxiliaryLoss.item<float>(), report.Auxiliary, 1e-5);
        var parallel = (dictionary.grad! * before[1]).sum(1).unsqueeze(1) * before[1];
        TensorAssert.Close(encoder.grad!, before[0] - sae.EncoderWeight, 2e-6, "encoder");
        TensorAssert.Close(dictionary.grad! - parallel, before[1] - sae.Dictionary, 2e-6, "dictionary");
        TensorAssert.Close(preBias.grad!, before[2] - sae.PreBias, 2e-6, "pre_bias");
        TensorAssert.Close(latentBias.grad!, before[3] - sae.LatentBias, 2e-6, "latent_bias");
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Step_BothKernels_Agree(SparsityRule sparsity, bool nested)
    {
        using var scope = NewDisposeScope();
        var options = Options with { Sparsity = sparsity, PrefixSizes = nested ? Prefixes : null, LearningRate = 1e-3, Epsilon = 1e-4 };
        var sample = SyntheticData.Make(4 * Batch, Width, 24, 1);
        using var memory = new SaeTrainer(options, Initialisation.Create(options, sample, 3), 1, new CpuKernels());
        using var tensors = new SaeTrainer(options, Initialisation.Create(options, sample, 3), 1, new TensorKernels());
        for (var step = 0; step < 4; step++)
        {
            var batch = sample.narrow(0, step * Batch, Batch);
            Assert.Equal(tensors.Step(batch).Total, memory.Step(batch).Total, 1e-5);
        }

        TensorAssert.Close(tensors.Sae.EncoderWeight, memory.Sae.EncoderWeight, 1e-5, "encoder");
        TensorAssert.Close(tensors.Sae.Dictionary, memory.Sae.Dictionary, 1e-5, "dictionary");
        TensorAssert.Close(tensors.Sae.PreBias, memory.Sae.PreBias, 1e-5, "pre_bias");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_AnyNumberOfThreads_GivesTheSameBits(bool nested)
    {
        using var scope = NewDisposeScope();
        var options = Options with { PrefixSizes = nested ? Prefixes : null };
        var sample = SyntheticData.Make(4 * Batch, Width, 24, 1);
        using var alone = new SaeTrainer(options, Initialisation.Create(options, sample, 3), 1, new CpuKernels(1));
        using var together = new SaeTrainer(options, Initialisation.Create(options, sample, 3), 1, new CpuKernels(3));
        for (var step = 0; step < 4; step++)
            Assert.Equal(alone.Step(sample), together.Step(sample));
        Assert.Equal(alone.Sae.EncoderWeight.Floats(), together.Sae.EncoderWeight.Floats());
        Assert.Equal(alone.Sae.Dictionary.Floats(), together.Sae.Dictionary.Floats());
    }

    [Fact]
    public void Step_BatchTopK_SpendsKUnevenly()
    {
        using var scope = NewDisposeScope();
        using var trainer = Train(Options with { Sparsity = SparsityRule.BatchTopK }, 150);
        var report = trainer.Step(SyntheticData.Make(Batch, Width, 24, 5));
        Assert.Equal(Options.K, report.ActivePerPosition, 1e-9);

        var held = SyntheticData.Make(512, Width, 24, 77);
        using var codes = trainer.Sae.Encode(held);
        var counts = codes.Values.IsAbove(0).sum([-1L]).Integers();
        Assert.InRange(counts.Average(), 0.7 * Options.K, 1.4 * Options.K);
        Assert.True(counts.Distinct().Count() > 1, "every position has the same number of active features");
        Assert.True(trainer.Sae.Config.Threshold > 0);
    }

    [Fact]
    public void Step_NestedPrefixes_EachReconstructsAndMoreIsBetter()
    {
        using var scope = NewDisposeScope();
        using var trainer = Train(Options with { PrefixSizes = Prefixes }, 150);
        var held = SyntheticData.Make(512, Width, 24, 77);
        using var codes = trainer.Sae.Encode(held);
        var dense = codes.ToDense();
        var explained = Prefixes
            .Select(size => dense.narrow(1, 0, size).mm(trainer.Sae.Dictionary.narrow(0, 0, size)).Plus(trainer.Sae.PreBias))
            .Select(reconstruction => ExplainedVariance.Pooled(reconstruction, held))
            .ToArray();
        Assert.True(explained[0] > 0.1, $"the first prefix explains {explained[0]}");
        Assert.Equal(explained.Order(), explained);
        Assert.Equal(Prefixes, trainer.Sae.Config.PrefixSizes);
    }

    [Fact]
    public void Step_SparseData_IsLearned()
    {
        using var scope = NewDisposeScope();
        using var trainer = Train(Options, 200);
        var held = SyntheticData.Make(512, Width, 24, 77);
        var explained = ExplainedVariance.Pooled(trainer.Sae.Reconstruct(held), held);
        Assert.True(explained > 0.7, $"explained {explained}");
    }

    [Theory]
    [InlineData(new[] { 8, 40 })]
    [InlineData(new[] { 20, 8, 48 })]
    public void ToConfig_PrefixesNotEndingWithAll_AreRefused(int[] prefixes) =>
        Assert.Contains("prefix_sizes",
            Assert.Throws<SaeException>(() => (Options with { PrefixSizes = prefixes }).ToConfig(Width)).Message);

    private static Tensor Leaf(Tensor tensor) => tensor.clone().requires_grad_();

    private static SaeTrainer Train(TrainingOptions options, int steps)
    {
        var trainer = SaeTrainer.Start(options, SyntheticData.Make(1024, Width, 24, 1), 3);
        for (var step = 0; step < steps; step++)
        {
            using var batch = SyntheticData.Make(Batch, Width, 24, (ulong)(100 + step));
            trainer.Step(batch);
        }

        return trainer;
    }

    private static Tensor Mask(Tensor preActivations, SparsityRule sparsity, int k)
    {
        var flat = sparsity == SparsityRule.BatchTopK ? preActivations.view(1, -1) : preActivations;
        var count = sparsity == SparsityRule.BatchTopK ? k * (int)preActivations.shape[0] : k;
        var (_, chosen) = flat.topk(count, 1);
        return zeros_like(flat).scatter_(1, chosen, ones_like(chosen).to(ScalarType.Float32)).view(preActivations.shape);
    }
}
