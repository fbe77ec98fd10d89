using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Training;

public sealed class NetworkTrainingTests : IDisposable
{
    private readonly string _folder = Tiny.Folder();
    private readonly LatentCode _code = Tiny.Code();

    public NetworkTrainingTests()
    {
        var tokenizer = MiniTokenizer.OfGrammar();
        MiniConfigurations.Write(_folder, Tiny.Options, tokenizer.Count, tokenizer.StartId, tokenizer.EndId);
        tokenizer.Write(Path.Combine(_folder, "tokenizer"), MiniTokenizer.FirstPad);
        tokenizer.Write(Path.Combine(_folder, "tokenizer_2"), MiniTokenizer.SecondPad);
    }

    [Fact]
    public void Step_PlainPictures_ReachesEveryWeight()
    {
        var plain = Tiny.Options with { Network = Tiny.Options.Network with { SwapFrom = 2, PaintFrom = 2, CutFrom = 2, Workers = 1 } };
        using var training = new NetworkTraining(plain, _folder, _code, null, CPU);
        using var worker = new MiniNetwork(_folder, 1, CPU);
        worker.CopyFrom(training.Network);
        var one = new NetworkWorker(worker, plain, training.Tokenizer, training.Tokenizer2);

        using var step = one.Step(StepDraw.Of(0, 0, plain, _code), training.Memories);

        var still = Row
            .Parts(step.Gradients, worker.Leaves)
            .Where(leaf => leaf.Value.abs().max().item<float>() == 0)
            .Select(leaf => leaf.Key)
            .ToArray();
        // SDXL takes the first encoder's states before its last layer; the timestep and sizes are the same in every picture, and still
        // count.
        Assert.All(still, name => Assert.True(
            name.StartsWith("text_encoder.text_model.encoder.layers.1.", StringComparison.Ordinal)
                || name.StartsWith("text_encoder.text_model.final_layer_norm", StringComparison.Ordinal)
            || name.StartsWith("text_encoder.fused", StringComparison.Ordinal), name));
        Assert.True(step.Gradients.isfinite().all().item<bool>());
    }

    [Fact]
    public void Step_ManyTimes_LowersTheLoss()
    {
        var options = Tiny.Options with
        {
            Network = Tiny.Options.Network with
            {
                SwapFrom = 2,
                PaintFrom = 2,
                CutFrom = 2,
                Workers = 1,
                Steps = 60,
                WarmUp = 5,
                AmplifiedShare = 0,
                LearningRate = 1e-2
            },
        };
        using var training = new NetworkTraining(options, _folder, _code, null, CPU);

        var losses = Enumerable.Range(0, 25).Select(step => training.Step(step).Plain!.Value).ToArray();
        // Pictures differ in how hard they are: the first one again.
        var last = training.Step(0).Plain!.Value;

        Assert.True(last < .85 * losses[0], $"{last} after {string.Join(" ", losses)}");
    }

    public void Dispose() => Directory.Delete(_folder, true);
}
