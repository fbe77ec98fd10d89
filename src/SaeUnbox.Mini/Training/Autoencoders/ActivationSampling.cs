using SaeUnbox.Mini.Evaluation;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>Collects what the four sites of the finished model do in drawn pictures; goes on behind the last whole shard.</summary>
internal static class ActivationSampling
{
    public const string Stage = "activations";
    private const int Purpose = 8, Batch = 8, ItemsPerShard = 64;

    public static void Run(MiniTrainingOptions options, MiniFolder folder, IMiniTrainingProgress progress, Device device, CancellationToken cancellation)
    {
        using var writer = new CollectionWriter(folder.Activations, MiniModel.Sites, new CollectionOptions { ItemsPerShard = ItemsPerShard });
        var pictures = options.Autoencoders.Pictures;
        if (writer.NextItem >= pictures)
            return;
        using var model = new MiniModel(folder.Model, device);
        using var noGrad = no_grad();
        var clock = new StageClock(Stage, pictures, progress, (int)writer.NextItem);
        while (writer.NextItem < pictures)
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var first = (int)writer.NextItem;
            CaptionedScene[] scenes = [.. Enumerable.Range(first, Math.Min(Batch, pictures - first))
                .Select(i => CaptionedScene.Draw(RandomAt.Place(options.Seed, Purpose, i), options.Scenes))];
            using var run = model.Run(scenes);
            var differences = MiniModel.Sites.ToDictionary(site => site, run.Difference);
            foreach (var i in Enumerable.Range(0, scenes.Length))
                writer.Add(first + i, differences.ToDictionary(pair => pair.Key, pair => pair.Value[i]));
            clock.Report((int)writer.NextItem, 1, new Dictionary<string, double>());
        }
        writer.Complete();
        progress.Saved(Stage, pictures, folder.Activations, null);
    }
}
