using SaeUnbox.Testing;
using static SaeUnbox.Testing.GoldenTensors;
using static TorchSharp.torch;

namespace SaeUnbox.Lab.Tests;

// Alone: constant collections could free a tensor that another test holds by nothing but a local variable.
[CollectionDefinition(nameof(ResumeTests), DisableParallelization = true)]
[Collection(nameof(ResumeTests))]
public class ResumeTests
{
    private const string File = "train/train.safetensors";

    /// <summary>Native code must be handed nothing that a collection frees.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_GarbageCollectedMeanwhile_GivesTheSameBits(bool byTensorOperators)
    {
        const int collections = 200;
        using var folder = new TemporaryFolder();
        var expected = Trained("alone");
        using var beside = new CollectionsBeside();
        do
            Assert.Equal(expected, Trained("beside"));
        while (beside.Count < collections);

        byte[] Trained(string name)
        {
            using var scope = NewDisposeScope();
            var batches = Read(File, "train_batches");
            using var run = new TrainingRun([.. TrainingTests.Indices()
                .Select(i => TrainingTests.Start(i, byTensorOperators ? new TensorKernels() : new CpuKernels()))]);
            for (var step = 0; step < (int)batches.shape[0]; step++)
                run.Step(batches[step]);
            TrainingState.Save(run, folder.At(name));
            return System.IO.File.ReadAllBytes(folder.At(name));
        }
    }

    [Fact]
    public void Resume_Halfway_GivesTheSameBits()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var batches = Read(File, "train_batches");
        var count = (int)batches.shape[0];
        using var whole = new TrainingRun([.. TrainingTests.Indices().Select(i => TrainingTests.Start(i, new CpuKernels()))]);
        var path = folder.At("state.safetensors");
        for (var step = 0; step < count; step++)
        {
            if (step == count / 2)
                TrainingState.Save(whole, path, new Dictionary<string, string> { ["next"] = $"{step}" });
            whole.Step(batches[step]);
        }

        var (resumed, notes) = TrainingState.Load(path);
        using (resumed)
        {
            for (var step = int.Parse(notes["next"]); step < count; step++)
                resumed.Step(batches[step]);
            TrainingState.Save(resumed, folder.At("resumed.safetensors"));
            TrainingState.Save(whole, folder.At("whole.safetensors"));
        }

        Assert.Equal(System.IO.File.ReadAllBytes(folder.At("whole.safetensors")),
            System.IO.File.ReadAllBytes(folder.At("resumed.safetensors")));
    }

    [Fact]
    public void Save_BatchTopK_KeepsItsThreshold()
    {
        using var scope = NewDisposeScope();
        using var folder = new TemporaryFolder();
        var sample = TrainingTests.StatsSample();
        var options = TrainingTests.OptionsOf(0) with { Sparsity = SparsityRule.BatchTopK };
        using var run = new TrainingRun([SaeTrainer.Start(options, sample, 1)]);
        run.Step(sample);
        TrainingState.Save(run, folder.At("state.safetensors"));
        var (resumed, _) = TrainingState.Load(folder.At("state.safetensors"));
        using (resumed)
        {
            Assert.NotNull(run.Trainers[0].Sae.Config.Threshold);
            Assert.Equal(run.Trainers[0].Sae.Config, resumed.Trainers[0].Sae.Config);
            Assert.Equal(run.Step(sample), resumed.Step(sample));
        }
    }

    [Fact]
    public void Load_NoTrainingState_SaysSo()
    {
        var error = Assert.Throws<SaeException>(() => TrainingState.Load(Goldens.At("saes.safetensors")));
        Assert.Contains("training state", error.Message);
    }
}
