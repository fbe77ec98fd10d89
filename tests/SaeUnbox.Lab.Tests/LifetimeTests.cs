using SaeUnbox.Lab.Tests.Evaluation;
using SaeUnbox.Testing;

namespace SaeUnbox.Lab.Tests;

/// <summary>
/// The whole way through the lab leaves no tensor to the garbage collector. Alone: the count holds the tensors of tests beside it, too.
/// </summary>
[CollectionDefinition(nameof(LifetimeTests), DisableParallelization = true)]
[Collection(nameof(LifetimeTests))]
public sealed class LifetimeTests
{
    private static readonly Caption[] Captions = [new("a dog", Seed: 1), new("a house by the sea", Seed: 2), new("two cats", Seed: 3)];

    [Fact]
    public void Lab_FromCollectingToTheAtlas_DisposesEveryTensor()
    {
        using var folder = new TemporaryFolder();
        var before = FinalizedTensors.Count();
        using (var model = LoadedModel.Load(GoldenModel.Options("turbo1")))
        {
            var site = Site.Middle;
            var (width, height) = (model.Info.Width, model.Info.Height);
            ActivationCollector.Run(model, new CollectionRequest { Sites = [site], Captions = Captions, Width = width, Height = height },
                folder.At("data"));
            var collection = ActivationCollection.Open(folder.At("data"), site);
            var options = new TrainingOptions { Features = 48, K = 4, AuxK = 8, BatchSize = 32, LearningRate = 1e-3 };
            var trained = TrainingSession.Run(new TrainingPlan(site, [options], Steps: 20), collection, folder.At("saes"));
            using (var sae = SaeLoader.Load(trained[0]))
                ActivationStatistics.Measure(sae, collection);
            var question = new EvaluationRequest
            {
                Captions = Captions[..1],
                Sites = [site],
                Second = model.Saes,
                Judge = new ModelEvaluationTests.HalfJudge(),
                Pictures = 2,
                Scenes = 1,
                Tuning = 1,
            };
            ModelEvaluation.Run(model, question, folder.At("table"));
            AtlasBuilder.Run(model, new AtlasRequest { Captions = Captions, Neighbours = 2 }, folder.At("atlas"));
        }

        Assert.Equal(before, FinalizedTensors.Count());
    }
}
