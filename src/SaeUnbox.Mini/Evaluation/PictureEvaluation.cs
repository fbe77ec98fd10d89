using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Evaluates pictures: how close to the truth they are, how well they follow captions, and how autoencoders reconstruct
/// them.</summary>
internal sealed class PictureEvaluation(MiniModel model, SaeSet saes, MiniEvaluationOptions options) : IDisposable
{
    private const int Purpose = 20, Batch = 8, MostThings = 3;
    private readonly ActivationStatistics[] _statistics = [.. MiniModel.Sites.Select(site => new ActivationStatistics(saes[site]))];
    private readonly FeatureSelectivity[] _selectivity =
        [.. MiniModel.Sites.Select(site => new FeatureSelectivity(saes[site].Features, SceneLabels.Count, model.Device))];
    private readonly List<(string Attribute, bool IsNamed, bool Obeyed, bool OnTruth, bool OnOther)> _answers = [];
    private readonly List<double> _errors = [], _psnr = [], _ceiling = [];

    public PictureFigures Pictures => new(_errors.Average(), _psnr.Average(), _ceiling.Average());

    public IReadOnlyList<ObedienceFigures> Obedience =>
    [
        .. _answers.GroupBy(answer => answer.Attribute).Select(group => new ObedienceFigures(group.Key, group.Count(),
            Share(group, answer => answer.Obeyed), Share(group, answer => answer.OnTruth), Share(group, answer => answer.OnOther),
            group.Count(answer => answer.IsNamed), group.Any(answer => answer.IsNamed)
                ? Share(group.Where(answer => answer.IsNamed), answer => answer.Obeyed) : null)),
    ];

    public IReadOnlyList<SiteFigures> Sites => [.. MiniModel.Sites.Zip(_statistics, (site, statistics) =>
    {
        var report = statistics.Report();
        return new SiteFigures(site.Code, report.ExplainedVariancePooled, report.ExplainedVariancePerChannel,
            (double)report.Dead / saes[site].Features);
    })];

    /// <summary>For each site and label, the feature with the highest correlation.</summary>
    public IReadOnlyList<IReadOnlyList<LabelFeature>> BestFeatures =>
        [.. _selectivity.Select(site => site.Best(1).Select(features => features[0]).ToArray())];

    public void Run(Action<int> progress, CancellationToken cancellation)
    {
        for (var first = 0; first < options.Pictures; first += Batch)
        {
            cancellation.ThrowIfCancellationRequested();
            Evaluate(first, Math.Min(Batch, options.Pictures - first));
            progress(Math.Min(first + Batch, options.Pictures));
        }
    }

    public void Dispose()
    {
        foreach (var part in (IEnumerable<IDisposable>)[.. _statistics, .. _selectivity])
            part.Dispose();
    }

    private void Evaluate(int first, int count)
    {
        using var scope = NewDisposeScope();
        var mix = new SceneMix();
        var numbers = Enumerable.Range(first, count);
        CaptionedScene[] scenes = [.. numbers.Select(i => CaptionedScene.Draw(RandomAt.Place(options.Seed, Purpose, i), mix))];
        ScenePicture[] truths = [.. scenes.Select(scene => SceneRenderer.Render(scene.Scene, model.PictureSize))];
        using var run = model.Run(scenes);
        var truth = PictureBytes.ToTensor(truths, model.Device);
        var latents = model.Autoencoder.Encode(truth);
        var (drawn, seen) = (model.Autoencoder.Decode(run.Latents), model.Autoencoder.Decode(latents));
        var errors = (run.Latents.to_type(ScalarType.Float32) - latents.to_type(ScalarType.Float32)).Square().mean([1L, 2, 3]);
        _errors.AddRange(errors.cpu().data<float>().ToArray().Select(error => (double)error));
        _psnr.AddRange(PictureBytes.Psnr(drawn, truth));
        _ceiling.AddRange(PictureBytes.Psnr(seen, truth));
        Ask(first, scenes, PictureBytes.ForProbe(drawn), PictureBytes.ForProbe(seen));
        var labels = truths.Select(SceneLabels.Of).ToArray();
        foreach (var (i, site) in MiniModel.Sites.Index())
        {
            using var inner = NewDisposeScope();
            var difference = run.Difference(site);
            _statistics[i].Add(difference);
            using var codes = saes[site].Encode(difference);
            _selectivity[i].Add(codes, labels);
        }
    }

    private void Ask(int first, CaptionedScene[] scenes, byte[][] drawn, byte[][] seen)
    {
        var asked = scenes.Index().SelectMany(scene => Questions(scene.Item, RandomAt.Place(options.Seed, Purpose + 1, first + scene.Index))
            .Select(question => (Picture: scene.Index, Question: question))).ToArray();
        // Renders another answer to each question. A probe that ignored the picture would fail here.
        var others = asked.Select((entry, i) =>
        {
            var wrong = entry.Question.Answers.Where(answer => answer.Name != entry.Question.Right).ToArray();
            return wrong[RandomAt.Place(options.Seed, Purpose + 2, first, i).Next(wrong.Length)];
        }).ToArray();
        var pictures = others.Chunk(Batch).SelectMany(chunk =>
        {
            using var scope = NewDisposeScope();
            var rendered = PictureBytes.ToTensor([.. chunk.Select(other => SceneRenderer.Render(other.Scene, model.PictureSize))],
                model.Device);
            return PictureBytes.ForProbe(model.Autoencoder.Decode(model.Autoencoder.Encode(rendered)));
        }).ToArray();
        var answers = new (string, bool, bool, bool, bool)[asked.Length];
        Parallel.For(0, asked.Length, i =>
        {
            var (picture, question) = asked[i];
            var probe = new SceneProbe(question.Answers, SceneQuestions.Everywhere);
            answers[i] = (question.Attribute, question.IsNamed, probe.Ask(drawn[picture]) == question.Right,
                probe.Ask(seen[picture]) == question.Right,
                probe.Ask(pictures[i]) == others[i].Name);
        });
        _answers.AddRange(answers);
    }

    private static IEnumerable<(string Attribute, bool IsNamed, string Right,
        IReadOnlyList<ProbeAnswer> Answers)> Questions(CaptionedScene captioned, Random random)
    {
        var scene = captioned.Scene;
        var facts = scene.Facts;
        foreach (var (group, right) in new[]
        {
            ("time", Names.Of(facts.Time)), ("ground", Names.Of(facts.Ground)),
            ("far", Names.Of(facts.Far)), ("style", Names.Of(facts.Style)),
        })
            yield return (group, CaptionGrammar.Names(captioned.Caption, group), right, SceneQuestions.Backdrops(scene, group));
        NamedThing[] named = [.. facts.Things ?? [], .. facts.SkyThings ?? []];
        var placed = SceneLayout.Of(facts, scene.Noise).Where(entry => named.Any(thing => thing.Kind == entry.Value.Kind)).ToArray();
        random.Shuffle(placed);
        foreach (var (slot, thing) in placed.Take(MostThings))
        {
            yield return ("thing", true, Names.Of(thing.Kind), SceneQuestions.Things(scene, slot));
            if (named.Any(one => one.Kind == thing.Kind && one.Color is not null))
                yield return ("color", true, Names.Of(thing.Color), SceneQuestions.Colors(scene, slot, thing.Kind));
        }
    }

    private static double Share<T>(IEnumerable<T> items, Func<T, bool> holds) => items.Average(item => holds(item) ? 1.0 : 0);
}

/// <summary>Adds pictures of scenes to the figures of features.</summary>
internal static class SceneSelectivity
{
    /// <param name="codes">Codes of [B, 16, 16, d].</param>
    /// <param name="labels">For each picture [labels, 16, 16] of 0 or 1, such as <see cref="SceneLabels.Of(ScenePicture)"/>.</param>
    public static void Add(this FeatureSelectivity selectivity, SparseCodes codes, IReadOnlyList<byte[]> labels)
    {
        using var scope = NewDisposeScope();
        var z = codes.ToDense().reshape(-1, codes.Features);
        const long cells = CellMask.Side * CellMask.Side;
        selectivity.Add(z, stack(labels.Select(one => tensor(one, device: z.device).reshape(-1, cells).t())).reshape(z.shape[0], -1));
    }
}

/// <summary>Converts pictures between renderer, autoencoder and probe.</summary>
internal static class PictureBytes
{
    /// <summary>Renderings as [B, 3, side, side], -1 to 1.</summary>
    public static Tensor ToTensor(IReadOnlyList<ScenePicture> pictures, Device device)
    {
        using var scope = NewDisposeScope();
        var side = pictures[0].Size;
        var bytes = tensor(pictures.SelectMany(picture => picture.Rgb).ToArray(), device: device).reshape(pictures.Count, side, side, 3);
        return bytes.to_type(ScalarType.Float32).Over(127.5).Minus(1).permute(0, 3, 1, 2).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Decoded pictures [B, 3, h, w], -1 to 1, as bytes [row, column, colour] of the size of the probe.</summary>
    /// <param name="side">Their side then, if they are parts of pictures.</param>
    public static byte[][] ForProbe(Tensor decoded, int side = SceneProbe.Size)
    {
        using var scope = NewDisposeScope();
        var factor = decoded.shape[2] / side;
        var small = nn.functional.avg_pool2d(decoded.Between(-1, 1), [factor, factor], stride: [factor, factor]);
        using var bytes = Pixels.ToBytes(Pixels.ToUnit(small));
        return [.. Enumerable.Range(0, (int)bytes.shape[0]).Select(i => bytes[i].contiguous().bytes.ToArray())];
    }

    /// <summary>The peak signal-to-noise ratio of each picture in decibels. Both are [B, 3, side, side], -1 to 1.</summary>
    public static double[] Psnr(Tensor decoded, Tensor truth)
    {
        using var scope = NewDisposeScope();
        var errors = (decoded.Between(-1, 1) - truth).Over(2).Square().mean([1L, 2, 3]);
        return [.. errors.cpu().data<float>().ToArray().Select(error => -10 * Math.Log10(Math.Max(error, 1e-12)))];
    }
}
