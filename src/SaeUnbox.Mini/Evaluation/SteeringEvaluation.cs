using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Paints features into scenes without their element, and removes them from scenes with it. The probe says what is there
/// then.</summary>
internal sealed class SteeringEvaluation(MiniModel model, SaeSet saes, MiniEvaluationOptions options)
{
    private const int PaintPurpose = 24, RemovePurpose = 25, Batch = 10;

    /// <summary>What strength -1 of mode scale is: the feature's contribution is gone.</summary>
    public const double Removal = -1;

    /// <param name="features">The feature for this element at each site that has one.</param>
    public IReadOnlyList<SteeringFigures> Run(SteeringElement element, IReadOnlyList<(Site Site, LabelFeature Feature)> features,
        CancellationToken cancellation)
    {
        FeatureEdit[] edits = [.. features.Select(one => new FeatureEdit(one.Site, one.Feature.Feature, options.Strength))];
        var painted = Paint(element, edits, PaintPurpose, options.Scenes, cancellation);
        var removed = Remove(element, [.. edits.Select(edit => edit with { Mode = EditMode.Scale, Strength = Removal })], RemovePurpose,
            options.Scenes, cancellation);
        return
        [
            .. features.Select((one, i) => new SteeringFigures(element.Name, one.Site.Code, one.Feature.Feature, one.Feature.Correlation,
                painted[i].Found, painted[i].FoundBefore, painted[i].Outside, removed[i].Before, removed[i].Removed, removed[i].Outside)),
        ];
    }

    /// <summary>Paints an element by each edit alone, into scenes without it.</summary>
    /// <param name="purpose">Scenes of different purposes differ.</param>
    public SteeringTally[] Paint(
        SteeringElement element, IReadOnlyList<FeatureEdit> edits, int purpose, int scenes, CancellationToken cancellation) =>
        Run(element, edits, purpose, scenes, random => SteeringScene.Unrelated(random, element), cancellation);

    /// <summary>Takes an element out by each edit alone, of scenes with it.</summary>
    public SteeringTally[] Remove(
        SteeringElement element, IReadOnlyList<FeatureEdit> edits, int purpose, int scenes, CancellationToken cancellation) =>
        Run(element, edits, purpose, scenes, random => SteeringScene.With(random, element), cancellation);

    private SteeringTally[] Run(SteeringElement element, IReadOnlyList<FeatureEdit> edits, int purpose, int scenes,
        Func<Random, SteeringScene?> draw, CancellationToken cancellation)
    {
        SteeringTally[] tallies = [.. edits.Select(_ => new SteeringTally())];
        foreach (var numbers in Enumerable.Range(0, scenes).Chunk(Batch))
        {
            cancellation.ThrowIfCancellationRequested();
            var drawn = numbers.Select(i => draw(RandomAt.Place(options.Seed, purpose, element.Label, i))).OfType<SteeringScene>();
            Run([.. drawn], element, edits, tallies);
        }
        return tallies;
    }

    private void Run(
        SteeringScene[] scenes, SteeringElement element, IReadOnlyList<FeatureEdit> edits, SteeringTally[] tallies)
    {
        if (scenes.Length == 0)
            return;
        using var scope = NewDisposeScope();
        var probes = new SceneProbe[scenes.Length];
        Parallel.For(0, scenes.Length, i => probes[i] = new SceneProbe(scenes[i].Answers, scenes[i].Cells));
        using var run = model.Run([.. scenes.Select(scene => scene.Captioned)]);
        var before = model.Autoencoder.Decode(run.Latents);
        var was = Holds(PictureBytes.ForProbe(before));
        var cells = TrainingBatch.Masks(scenes.Select(scene => scene.Cells), before.device);
        var inside = Regions.Enlarge(cells, before.shape[2] / CellMask.Side);
        foreach (var (i, change) in edits.Index())
        {
            using var inner = NewDisposeScope();
            using var edit = new MaskedEdit(Edits.From(change, saes[change.Site], guided: false), cells);
            var after = model.Autoencoder.Decode(run.Edited(change.Site, edit));
            var changed = (after.Between(-1, 1) - before.Between(-1, 1)).abs().mean([1L], keepdim: true);
            var pictures = PictureBytes.ForProbe(after);
            var distance = pictures.Zip(probes, (picture, probe) => (double)probe.DistanceTo(element.Name, picture)).Sum();
            tallies[i].Add(was, Holds(pictures), distance, (changed * inside).sum().item<float>() / inside.sum().item<float>(),
                (changed * inside.SubtractedFrom(1)).sum().item<float>() / inside.SubtractedFrom(1).sum().item<float>());
        }

        bool[] Holds(byte[][] pictures) =>
            [.. pictures.Zip(probes, (picture, probe) => probe.Ask(picture) == element.Name)];
    }
}

/// <summary>In how many scenes an edit worked.</summary>
internal sealed class SteeringTally
{
    private double _inside, _outside;
    private int _scenes, _after, _lost;

    /// <summary>Scenes in which the element was there before.</summary>
    public int Before { get; private set; }

    /// <summary>Share of scenes in which the element is there afterwards.</summary>
    public double Found => Share(_after);

    /// <summary>Share of scenes in which it was there before.</summary>
    public double FoundBefore => Share(Before);

    /// <summary>Of the scenes in which the element was there, the share in which it is gone; null without any.</summary>
    public double? Removed => Before == 0 ? null : (double)_lost / Before;

    /// <summary>Mean change outside the cells / mean change inside.</summary>
    public double Outside => _inside > 0 ? _outside / _inside : 0;

    /// <summary>
    /// How far the pictures are from those that truly show the element there (<see cref="SceneProbe.DistanceTo"/>), summed.
    /// </summary>
    public double Distance { get; private set; }

    public void Add(bool[] before, bool[] after, double distance, double inside, double outside)
    {
        Distance += distance;
        _scenes += before.Length;
        Before += before.Count(held => held);
        _after += after.Count(held => held);
        _lost += before.Zip(after, (was, still) => was && !still).Count(lost => lost);
        _inside += inside * before.Length;
        _outside += outside * before.Length;
    }

    private double Share(int scenes) => _scenes == 0 ? 0 : (double)scenes / _scenes;
}

/// <summary>An element that can be painted and recognised: a kind of thing, a ground, a far layer, a time or a style.</summary>
/// <param name="Label">Number of its label.</param>
/// <param name="Group">"thing", "ground", "far", "time" or "style".</param>
/// <param name="Name">The answer of the probe.</param>
internal sealed record SteeringElement(int Label, string Group, string Name)
{
    /// <summary>All labels except colours, which need a thing.</summary>
    public static IReadOnlyList<SteeringElement> All { get; } =
    [
        .. SceneLabels.Names.Index().Select(label => (label.Index, Parts: label.Item.Split(':')))
            .Where(label => label.Parts[0] != "color").Select(label => new SteeringElement(label.Index, label.Parts[0], label.Parts[1])),
    ];

    /// <summary>The kind of thing; null for other elements.</summary>
    public ThingKind? Kind => Group == "thing" ? Enum.Parse<ThingKind>(Name, ignoreCase: true) : null;

    /// <summary>Whether a scene shows the element.</summary>
    public bool IsIn(Scene scene) => Kind is { } kind ? scene.Things().Any(thing => thing.Kind == kind) : SetIn(scene.Facts) == scene.Facts;

    /// <summary>Facts with this ground, far layer, time or style.</summary>
    public SceneFacts SetIn(SceneFacts facts) => Backdrop.Apply(facts);

    /// <summary>Facts of a caption that asks for the element.</summary>
    public SceneFacts PutInto(SceneFacts facts) => Kind is not { } kind ? SetIn(facts)
        : kind.IsOfSky() ? facts with { SkyThings = [new(kind)] }
        : facts with { Things = [new(kind)], Plural = true };

    /// <summary>
    /// Facts of a caption that does not ask for the element, and for another backdrop if it is one; null if there is none.
    /// </summary>
    public SceneFacts? TakenFrom(SceneFacts facts) => Kind is not { } kind ? Backdrop.Without(facts)
        : kind.IsOfSky() ? facts with { SkyThings = [] }
        : facts with { Things = [.. (facts.Things ?? []).Where(thing => thing.Kind != kind)] };

    private SceneElement Backdrop => SceneElement.All.Single(one => one.Thing is null && one.Labels[0] == Label);
}

/// <summary>A captioned scene, the cells to paint, and the answers from which the probe chooses there.</summary>
internal sealed record SteeringScene(CaptionedScene Captioned, CellMask Cells, IReadOnlyList<ProbeAnswer> Answers)
{
    private const int Box = 4, Side = CellMask.Side;

    /// <summary>A scene without the element, and a box of 4 x 4 cells where it could be.</summary>
    public static SteeringScene Unrelated(Random random, SteeringElement element)
    {
        SceneFacts facts;
        CaptionedScene captioned;
        do
        {
            facts = SceneSampler.Draw(random, new SceneMix());
            captioned = CaptionedScene.Draw(random, facts);
        }
        while (element.IsIn(captioned.Scene));
        return InBox(random, captioned, element);
    }

    /// <summary>A scene with the element, and the cells where it is; null if the noise leaves no room for it.</summary>
    public static SteeringScene? With(Random random, SteeringElement element)
    {
        var facts = SceneSampler.Draw(random, new SceneMix());
        if (element.Kind is not { } kind)
            return InBox(random, CaptionedScene.Draw(random, element.SetIn(facts)), element);
        facts = element.PutInto(facts);
        var captioned = CaptionedScene.Draw(random, facts);
        var placed = SceneLayout.Of(facts, captioned.Scene.Noise).Where(entry => entry.Value.Kind == kind).ToArray();
        if (placed.Length == 0)
            return null;
        var (slot, thing) = placed[random.Next(placed.Length)];
        var (top, left, height, width) = CellsOf(thing);
        return new(captioned, CellMask.Box(top, left, height, width), SceneQuestions.Things(captioned.Scene, slot));
    }

    private static SteeringScene InBox(Random random, CaptionedScene captioned, SteeringElement element)
    {
        if (element.Kind is { } kind)
            return InSlot(random, captioned, kind);
        var (top, left) = (element.Group switch
        {
            "ground" => random.Next(10, 13),
            "far" => 5,
            "time" => random.Next(0, 5),
            _ => random.Next(0, 13),
        }, random.Next(0, Side - Box + 1));
        return new(captioned, CellMask.Box(top, left, Box, Box), SceneQuestions.Backdrops(captioned.Scene, element.Group));
    }

    // 4 x 4 cells at a slot, which may already hold another thing.
    private static SteeringScene InSlot(Random random, CaptionedScene captioned, ThingKind kind)
    {
        var slot = new SceneSlot(random.Next(2) + (kind.IsOfSky() ? 0 : 2), random.Next(4));
        var (top, left, height, width) = CellsOf(SceneLayout.Place(new(kind), captioned.Scene.Noise, slot));
        var (row, column) = (slot.IsOfSky ? top + (height - Box) / 2 : top + height - Box, left + (width - Box) / 2);
        return new(captioned, CellMask.Box(Math.Clamp(row, 0, Side - Box), Math.Clamp(column, 0, Side - Box), Box, Box),
            SceneQuestions.Things(captioned.Scene, slot));
    }

    /// <summary>The cells that a thing may fill.</summary>
    public static (int Top, int Left, int Height, int Width) CellsOf(PlacedThing thing)
    {
        var bounds = ThingBounds.Of(thing.Kind);
        var (top, left) = (Cell(thing.Y + bounds.Top * thing.Size, 0), Cell(thing.X + bounds.Left * thing.Size, 0));
        var (bottom, right) = (Cell(thing.Y + bounds.Bottom * thing.Size, .999f), Cell(thing.X + bounds.Right * thing.Size, .999f));
        return (top, left, bottom - top, right - left);

        static int Cell(float share, float rounding) => (int)MathF.Floor(share * Side + rounding);
    }
}
