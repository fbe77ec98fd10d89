using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Training;
using SaeUnbox.Testing;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Tests.Training;

// Alone: constant collections could free a tensor that another test holds by nothing but a local variable.
[CollectionDefinition(nameof(MiniTrainingTests), DisableParallelization = true)]
[Collection(nameof(MiniTrainingTests))]
public sealed class MiniTrainingTests : IDisposable
{
    private readonly string _straight = Tiny.Folder(), _broken = Tiny.Folder();

    [Fact]
    public void Run_StoppedInEveryStage_ResumesToTheSameBits()
    {
        var recorder = new Recorder();
        var keptOut = false;
        var finalized = FinalizedTensors.Count();
        MiniTraining.Run(Tiny.Options, _straight, recorder,
            last: () => keptOut = Assert.Throws<CheckpointException>(() => FolderLock.Take(_straight)) is not null);
        Assert.True(keptOut);

        StopAfter("decoder", 2);
        StopAfter("network", 2);
        StopAfter("activations", 3);
        // Native code must be handed nothing that a collection frees.
        using (new CollectionsBeside())
            MiniTraining.Run(Tiny.Options, _broken, new Recorder());
        Assert.Equal(finalized, FinalizedTensors.Count());

        foreach (var file in (string[])[
            "unet/diffusion_pytorch_model",
            "text_encoder/model",
            "text_encoder_2/model",
            "vae/diffusion_pytorch_model"
        ])
            Assert.Equal(File.ReadAllBytes(Part(_straight, file)), File.ReadAllBytes(Part(_broken, file)));
        Assert.Equal(File.ReadAllBytes(State(_straight, "network")), File.ReadAllBytes(State(_broken, "network")));
        Assert.All(recorder.Sheets,
            sheet => Assert.Equal((sheet.Contains("decoder", StringComparison.Ordinal) ? 8 : 2) * 132 - 4,
                Png.Decode(File.ReadAllBytes(sheet)).Width));
        Assert.Contains(recorder.Reports,
            report => report is { Stage: "network", Step: 4, Steps: 4 } && report.Figures["labels"] > 0 && report.Figures["heldout"] > 0);

        OtherOptionsAreRefused();
        ThePipelineDrawsWhatTheNetworkPredicts();
        EverySiteHasAnAutoencoderThatPaints(recorder);
        AnEvaluationIsTheSameTwice();
        AFurtherRoundGoesOnFromIt();
        ADecoderOfLargerPicturesGoesOnFromIt();
    }

    [Fact]
    public void Run_OtherTrainingInTheFolder_IsRefused()
    {
        using var other = FolderLock.Take(_straight);

        Assert.Contains(_straight,
            Assert.Throws<CheckpointException>(() => MiniTraining.Run(Tiny.Options, _straight, new Recorder())).Message);
    }

    private void AFurtherRoundGoesOnFromIt()
    {
        // Too small a rate to move anything: what is kept is what it began with, and every feature is still itself.
        var still = Tiny.Options with
        {
            Decoder = Tiny.Options.Decoder with { Steps = 0 },
            Network = Tiny.Options.Network with { LearningRate = 1e-9, Round = 1 },
            Autoencoders = Tiny.Options.Autoencoders with { LearningRate = 1e-9 },
        };
        var further = Tiny.Folder();
        try
        {
            MiniTraining.Run(still, further, new Recorder(), _straight);

            using var scope = NewDisposeScope();
            foreach (var part in (string[])["unet", "text_encoder", "text_encoder_2", "vae"])
            {
                using var before = Checkpoint.OpenFolder(Path.Combine(_straight, "model", part));
                using var after = Checkpoint.OpenFolder(Path.Combine(further, "model", part));
                Assert.All(before.Entries.Keys,
                    name => Assert.True(after.Read(name).allclose(before.Read(name), 1e-3, 1e-5), $"{part}: {name}"));
            }
            using var first = SaeSet.Load(Path.Combine(_straight, "saes"));
            using var second = SaeSet.Load(Path.Combine(further, "saes"));
            Assert.All(first, pair => Assert.True(second[pair.Key].Dictionary.allclose(pair.Value.Dictionary, 0, 1e-3), $"{pair.Key}"));
            Assert.Contains("random weights",
                Assert.Throws<CheckpointException>(() => MiniTraining.Run(Tiny.Options, _straight, new Recorder(), further)).Message);
            Assert.Contains("no folder 'model'",
                Assert.Throws<CheckpointException>(() => MiniTraining.Run(Tiny.Options, Tiny.Folder(), new Recorder(),
                    Path.GetTempPath())).Message);
        }
        finally
        {
            Directory.Delete(further, true);
        }
    }

    private void ADecoderOfLargerPicturesGoesOnFromIt()
    {
        var larger = Tiny.Options with
        {
            PictureSize = 512,
            Decoder = Tiny.Options.Decoder with { Blocks = [1, 0, 0, 0], Steps = 2, DrawnShare = .5 },
            Network = Tiny.Options.Network with { Steps = 0 },
            Autoencoders = Tiny.Options.Autoencoders with { Steps = 0 },
        };
        var folder = Tiny.Folder();
        try
        {
            MiniTraining.Run(larger, folder, new Recorder(), _straight);

            using var scope = NewDisposeScope();
            using var noGrad = no_grad();
            Assert.Equal(Hashes(Path.Combine(_straight, "saes")), Hashes(Path.Combine(folder, "saes")));
            foreach (var part in (string[])["text_encoder", "text_encoder_2"])
                Assert.Equal(File.ReadAllBytes(Part(_straight, $"{part}/model")), File.ReadAllBytes(Part(folder, $"{part}/model")));
            using var before = new MiniModel(Path.Combine(_straight, "model"));
            using var after = new MiniModel(Path.Combine(folder, "model"));
            Assert.Equal((256, 512), (before.PictureSize, after.PictureSize));
            CaptionedScene[] scenes = [CaptionedScene.Draw(new Random(1), Tiny.Options.Scenes)];
            using var small = before.Run(scenes);
            using var large = after.Run(scenes);
            // The U-Net is told another size, and does not mind.
            Assert.True(large.Latents.allclose(small.Latents, 1e-3, 1e-3), $"{(large.Latents - small.Latents).abs().max().item<float>()}");
            Assert.Equal([1L, 3, 512, 512], after.Autoencoder.Decode(large.Latents).shape);
        }
        finally
        {
            Directory.Delete(folder, true);
        }

        static IEnumerable<string> Hashes(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order()
            .Select(path => Path.GetRelativePath(folder, path)
                + Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path))));
    }

    [Theory]
    [InlineData(512, "1, 0, 0")]
    [InlineData(256, "1, 0, 0, 0")]
    [InlineData(300, "1, 0, 0")]
    [InlineData(256, "1, 0")]
    public void Run_PicturesThatTheDecoderDoesNotMake_IsRefused(int side, string blocks)
    {
        var options = Tiny.Options with
        {
            PictureSize = side,
            Decoder = Tiny.Options.Decoder with { Blocks = [.. blocks.Split(", ").Select(int.Parse)] },
        };

        Assert.Contains($"{side} pixels",
            Assert.Throws<CheckpointException>(() => MiniTraining.Run(options, _straight, new Recorder())).Message);
        Assert.False(File.Exists(Path.Combine(_straight, "options.json")));
    }

    private void AnEvaluationIsTheSameTwice()
    {
        // Nothing is learned in four steps: what is measured is that every figure can be, and that few elements are painted.
        var options = new MiniEvaluationOptions
        {
            Pictures = 2,
            Prompts = 2,
            Scenes = 2,
            LeastCorrelation = .3,
            Trials = 1,
            ConceptScenes = 1,
        };
        var (first, second) = (Measure(), Measure());

        Assert.Equal(first.Pictures, second.Pictures);
        Assert.Equal(first.Steering, second.Steering);
        Assert.Equal(first.Sharpness, second.Sharpness);
        Assert.Equal([("own", 3), ("strangers", 2)], first.Sharpness.Select(figures => (figures.Captions, figures.Pictures)));
        Assert.All(first.Sharpness, figures => Assert.InRange(figures.Places, 0, .9));
        Assert.True(first.Pictures.LatentError is > 0 and < 20 && first.Pictures.Psnr < first.Pictures.AutoencoderPsnr + 20,
            $"{first.Pictures}");
        Assert.Superset(new HashSet<string> { "time", "ground", "far", "style" },
            first.Obedience.Select(figures => figures.Attribute).ToHashSet());
        Assert.All(first.Obedience, figures => Assert.InRange(figures.Obeyed, 0, 1));
        Assert.Equal(MiniModel.Sites.Select(site => site.Code), first.Sites.Select(figures => figures.Site));
        Assert.All(first.Steering,
            figures => Assert.True(
                figures is { Painted: >= 0 and <= 1, PaintedOutside: >= 0 }
                    && figures.Correlation >= options.LeastCorrelation, $"{figures}"));

        MiniEvaluationReport Measure() => MiniEvaluation.Run(Path.Combine(_straight, "model"), Path.Combine(_straight, "saes"), options);
    }

    private void EverySiteHasAnAutoencoderThatPaints(Recorder recorder)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        using var saes = SaeSet.Load(Path.Combine(_straight, "saes"));
        using var again = SaeSet.Load(Path.Combine(_broken, "saes"));
        using var model = new MiniModel(Path.Combine(_straight, "model"));
        using var run = model.Run([CaptionedScene.Draw(new Random(1), Tiny.Options.Scenes)]);

        Assert.Equal(MiniModel.Sites.Order(), saes.Keys.Order());
        foreach (var (site, sae) in saes)
        {
            Assert.Equal((Tiny.Options.Autoencoders.Features, Tiny.Options.Autoencoders.K), (sae.Features, sae.K));
            Assert.True(sae.Dictionary.allclose(again[site].Dictionary, 0, 0) && sae.Scale!.Mean.SequenceEqual(again[site].Scale!.Mean),
                $"{site} differs after a resumption");
            using var edit = Strongest(sae);
            Assert.False(run.Edited(site, edit).allclose(run.Latents, atol: 1e-4), $"painting at {site} changes nothing");
            using var later = Strongest(saes[Site.Style]);
            Assert.False(run.Edited([(site, edit), (Site.Style, later)]).allclose(run.Edited(site, edit), atol: 1e-4),
                $"a second edit after {site} changes nothing");
            Assert.Contains(recorder.Reports,
                report => report.Stage == $"autoencoder {site.Code}" && report.Step == Tiny.Options.Autoencoders.Steps);
        }

        static BlockEdit Strongest(IFeatureDictionary sae) => Edits.Add(sae, Enumerable.Range(0, sae.Features).MaxBy(sae.MeanOf), 10);
    }

    private void OtherOptionsAreRefused()
    {
        MiniTrainingOptions[] others =
        [
            Tiny.Options with
            {
                Network = Tiny.Options.Network with { Heads = [1, 1, 1] }
            }, Tiny.Options with { Latents = Tiny.Options.Latents with { ScalingFactor = 2 } },
        ];
        var before = Contents();

        foreach (var other in others)
            Assert.Contains("other options",
                Assert.Throws<CheckpointException>(() => MiniTraining.Run(other, _broken, new Recorder())).Message);
        Assert.Equal(before, Contents());

        Dictionary<string, string> Contents() =>
            Directory.GetFiles(_broken, "*.json", SearchOption.AllDirectories).ToDictionary(path => path, File.ReadAllText);
    }

    private void ThePipelineDrawsWhatTheNetworkPredicts()
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        const string prompt = "red houses on snow at night";
        using var pipeline = DiffusionPipeline.Load(Path.Combine(_straight, "model"));
        var drawn = pipeline.Generate(new ImageRequest { Prompts = [prompt], Seeds = [7], Height = 256, Width = 256 });

        using var network = new MiniNetwork(Path.Combine(_straight, "model"), 1, CPU);
        foreach (var part in (string[])["unet", "text_encoder", "text_encoder_2"])
        {
            using var file = Checkpoint.OpenFolder(Path.Combine(_straight, "model", part));
            Assert.Equal(file.Entries.Keys.Order(), network.TensorsOf(part).Keys.Order());
            foreach (var (name, tensor) in network.TensorsOf(part))
                file.Read(name, tensor);
        }
        using var generator = new Generator(7);
        var text =
            network.Encode([pipeline.PromptEncoder.Tokenize(prompt)[0].Ids], [pipeline.PromptEncoder.Tokenize(prompt)[1].Ids]);
        var predicted = network.Predict(randn([1, 4, 64, 64], generator: generator), text.Hidden, text.Pooled);

        Assert.True(drawn.Latents.allclose(predicted, atol: 2e-4), $"{(drawn.Latents - predicted).abs().max().item<float>()}");
    }

    private void StopAfter(string stage, int step)
    {
        using var cancellation = new CancellationTokenSource();
        var recorder = new Recorder
        {
            OnSaved = (at, steps) =>
            {
                if (at == stage && steps == step)
                    cancellation.Cancel();
            }
        };
        Assert.Throws<OperationCanceledException>(() => MiniTraining.Run(Tiny.Options, _broken, recorder,
            cancellation: cancellation.Token));
    }

    private static string Part(string folder, string file) => Path.Combine(folder, "model", file + ".safetensors");

    private static string State(string folder, string stage) => Path.Combine(folder, "states", stage + ".safetensors");

    public void Dispose()
    {
        Directory.Delete(_straight, true);
        Directory.Delete(_broken, true);
    }
}
