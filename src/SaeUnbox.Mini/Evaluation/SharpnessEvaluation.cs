using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>
/// Measures whether pictures show one possible scene or a mean of several, for captions of the model's own kind and for prompts of
/// strangers.
/// </summary>
internal static class SharpnessEvaluation
{
    private const int Purpose = 24, Batch = 8;

    /// <summary>What people type who do not know what the model knows.</summary>
    public static IReadOnlyList<string> Strangers { get; } = Read();

    /// <param name="progress">Gets the number of pictures done.</param>
    public static IReadOnlyList<SharpnessFigures> Run(MiniModel model, MiniEvaluationOptions options, Action<int> progress,
        CancellationToken cancellation)
    {
        var prompts = Math.Min(options.Prompts, Strangers.Count);
        if (prompts == 0)
            return [];
        var mix = new SceneMix();
        var own = Enumerable.Range(0, OwnOf(prompts)).Select(i => CaptionedScene.Draw(RandomAt.Place(options.Seed, Purpose, i), mix));
        var others = Enumerable.Range(0, prompts).Select(i =>
        {
            var seed = RandomAt.Place(options.Seed, Purpose + 1, i).Next();
            return new CaptionedScene(CaptionedScene.SceneOf(new SceneFacts(), seed), Strangers[i * Strangers.Count / prompts], seed);
        });
        var done = 0;
        return [Measure("own", [.. own]), Measure("strangers", [.. others])];

        SharpnessFigures Measure(string captions, CaptionedScene[] scenes)
        {
            var readings = new List<(PlaceShare[] Drawn, PlaceShare[] Seen)>();
            foreach (var batch in scenes.Chunk(Batch))
            {
                cancellation.ThrowIfCancellationRequested();
                readings.AddRange(Read(model, batch));
                progress(done += batch.Length);
            }
            return new(captions, scenes.Length, Share(one => one.Drawn.All(place => place.IsSharp)),
                Share(one => one.Seen.All(place => place.IsSharp)),
                readings.Average(one => Places(one.Drawn)), readings.Average(one => Places(one.Seen)));

            double Share(Func<(PlaceShare[] Drawn, PlaceShare[] Seen), bool> holds) => readings.Average(one => holds(one) ? 1.0 : 0);
        }
    }

    /// <summary>Number of pictures for a number of prompts.</summary>
    public static int PicturesOf(int prompts) => prompts + OwnOf(prompts);

    private static int OwnOf(int prompts) => prompts * 3 / 2;

    private static (PlaceShare[] Drawn, PlaceShare[] Seen)[] Read(MiniModel model, CaptionedScene[] scenes)
    {
        using var scope = NewDisposeScope();
        using var run = model.Run(scenes);
        var truth = PictureBytes.ToTensor([.. scenes.Select(scene => SceneRenderer.Render(scene.Scene, model.PictureSize))], model.Device);
        var drawn = PictureBytes.ForProbe(model.Autoencoder.Decode(run.Latents));
        var seen = PictureBytes.ForProbe(model.Autoencoder.Decode(model.Autoencoder.Encode(truth)));
        var readings = new (PlaceShare[], PlaceShare[])[scenes.Length];
        Parallel.For(0, scenes.Length, i =>
        {
            var shares = new PlaceShares(scenes[i].Scene.Noise);
            readings[i] = ([.. shares.Greatest(drawn[i])], [.. shares.Greatest(seen[i])]);
        });
        return readings;
    }

    private static double Places(PlaceShare[] places) => places.Average(place => place.IsSharp ? 1.0 : 0);

    private static string[] Read()
    {
        using var stream = typeof(SharpnessEvaluation).Assembly.GetManifestResourceStream("strangers.txt")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
