using SaeUnbox.Mini.Scenes;
using SaeUnbox.Mini.Training;

namespace SaeUnbox.Mini.Evaluation;

/// <summary>Judges pictures of unbox-mini by the truth of its scenes, none of which it was trained on.</summary>
/// <param name="seed">Seed of all scenes.</param>
public sealed class SceneJudge(int seed) : IPictureJudge
{
    private const int PicturePurpose = 40, PaintPurpose = 41, RemovePurpose = 42;

    public JudgeDescription Description { get; } = new(
        "The truth of unbox-mini's scenes: caption and noise determine a drawing, and a picture shows what it is nearest to.",
        "Painting: of the pictures in which the probe does not see the element in the cells, the share in which it does afterwards. "
        + "Removing: the reverse. The probe compares the cells with drawings of the same scene, each with another answer (for a thing: "
        + "all kinds that can stand there in all colours, and nothing), and takes the nearest by squared distance.",
        "The same questions about everything else, before and after: time, ground, far layer and style (but for the element's own "
        + "group) in the cells that are neither steered nor a thing's, and whether each thing outside the steered cells is still there. "
        + "The share of equal answers.",
        "The picture is divided into blocks of 4 x 4 cells, and these by the border of the steered cells into parts of at least "
        + $"{SceneClarity.LeastCells} cells. A part is unclear if its root mean square distance to every drawing that the probe knows is "
        + $"above {SceneClarity.Limit} of 255. Those are the scene itself, with the element, with each other time, ground, far layer "
        + "and style, with the other caption, with each thing at that place, and with nothing there. The share of pictures with an "
        + "unclear part.");

    public IReadOnlyList<string> Elements => MiniEvaluation.Elements;

    public KnownPicture Picture(int number)
    {
        var captioned = CaptionedScene.Draw(RandomAt.Place(seed, PicturePurpose, number), new SceneMix());
        var labels = SceneLabels.Of(SceneRenderer.Render(captioned.Scene));
        const int side = CellMask.Side, cells = side * side;
        return new(CaptionOf(captioned),
        [
            .. SteeringElement.All.Select(element => BrushMask.FromCells(side, side,
                Array.ConvertAll(labels.AsSpan(element.Label * cells, cells).ToArray(), label => (float)label))),
        ]);
    }

    public SteeringTrial? Trial(string element, SteeringTask task, int number)
    {
        var wanted = SteeringElement.All.Single(one => one.Name == element);
        var random = RandomAt.Place(seed, task == SteeringTask.Paint ? PaintPurpose : RemovePurpose, wanted.Label, number);
        var scene = task == SteeringTask.Paint ? SteeringScene.Unrelated(random, wanted) : SteeringScene.With(random, wanted);
        if (scene is null)
            return null;
        var other = task == SteeringTask.Paint
            ? wanted.PutInto(scene.Captioned.Scene.Facts)
            : wanted.TakenFrom(scene.Captioned.Scene.Facts);
        return new(CaptionOf(scene.Captioned),
            BrushMask.FromCells(CellMask.Side, CellMask.Side, Array.ConvertAll(scene.Cells.Cells.ToArray(), cell => cell ? 1f : 0)),
            other is null ? null : CaptionGrammar.Compose(other, random),
            new SceneTrialProbe(scene, wanted, other));
    }

    private static Caption CaptionOf(CaptionedScene captioned) => new(captioned.Caption, captioned.Seed);
}

/// <summary>Sees what variants of a scene's picture show: the element, everything else, and whether all of it is clear.</summary>
internal sealed class SceneTrialProbe : IPictureProbe
{
    private static readonly string[] Groups = ["time", "ground", "far", "style"];

    private readonly string _element;
    private readonly SceneProbe _own;
    private readonly SceneProbe[] _others;
    private readonly SceneClarity _clarity;

    /// <param name="other">Facts of the scene with the element, or without it; null if there are none.</param>
    public SceneTrialProbe(SteeringScene scene, SteeringElement element, SceneFacts? other)
    {
        var drawn = scene.Captioned.Scene;
        _element = element.Name;
        _own = new(scene.Answers, scene.Cells);
        var things = SceneLayout.Of(drawn.Facts, drawn.Noise).Select(placed => (Slot: placed.Key, Cells: CellsOf(placed.Value))).ToArray();
        var backdrop = things.Select(placed => placed.Cells).Append(scene.Cells)
            .Aggregate(SceneQuestions.Everywhere, (rest, taken) => rest.Part(taken, inside: false));
        _others =
        [
            .. Groups.Where(group => group != element.Group)
                .Select(group => new SceneProbe(SceneQuestions.Backdrops(drawn, group), backdrop)),
            .. things.Where(placed => !placed.Cells.Part(scene.Cells, inside: true).Cells.Contains(true))
                .Select(placed => new SceneProbe(
                    [new("there", drawn), new(SceneQuestions.Nothing, drawn with { Emptied = [placed.Slot] })], placed.Cells)),
        ];
        _clarity = new(drawn, scene.Cells,
        [
            drawn, .. scene.Answers.Select(answer => answer.Scene),
            .. Groups.SelectMany(group => SceneQuestions.Backdrops(drawn, group)).Select(answer => answer.Scene),
            .. other is null ? (Scene[])[] : [drawn with { Facts = other }],
        ]);
    }

    public PictureReading Read(Picture picture)
    {
        var small = picture.Width == SceneProbe.Size ? picture : PictureScaling.Resize(picture, SceneProbe.Size, SceneProbe.Size);
        return new(_own.Ask(small.Pixels) == _element, [.. _others.Select(probe => probe.Ask(small.Pixels))],
            !_clarity.IsClear(small.Pixels));
    }

    private static CellMask CellsOf(PlacedThing thing)
    {
        var (top, left, height, width) = SteeringScene.CellsOf(thing);
        return CellMask.Box(top, left, height, width);
    }
}

/// <summary>Whether every part of a picture shows something that is drawn in scenes.</summary>
/// <param name="cells">The cells that are steered: a part lies inside or outside of them.</param>
/// <param name="known">What the picture may show.</param>
internal sealed class SceneClarity(Scene scene, CellMask cells, IReadOnlyList<Scene> known)
{
    /// <summary>Cells of the smallest part that is looked at.</summary>
    public const int LeastCells = 4;

    /// <summary>
    /// The root mean square distance, of 255, up to which a part is clear. Of the pictures of unbox-mini without edits, about 95 of 100
    /// have no part beyond it.
    /// </summary>
    public const int Limit = 45;

    private const int Block = 4, Values = SceneProbe.Size * SceneProbe.Size * 3 / (CellMask.Side * CellMask.Side);

    private readonly Lazy<byte[][]> _drawings = new(() => [.. known.Distinct().Select(Draw)]);
    private readonly Dictionary<SceneSlot, byte[][]> _slots = [];

    /// <param name="picture">[row, column, colour] of side <see cref="SceneProbe.Size"/>.</param>
    public bool IsClear(ReadOnlySpan<byte> picture)
    {
        foreach (var slot in SceneSlot.All)
            foreach (var inside in (bool[])[false, true])
            {
                var part = CellMask.Box(slot.Row * Block, slot.Column * Block, Block, Block).Part(cells, inside);
                if (part.Cells.Count(true) >= LeastCells && Distance(picture, part, slot) > Limit)
                    return false;
            }
        return true;
    }

    /// <summary>The root mean square distance to the nearest drawing.</summary>
    private double Distance(ReadOnlySpan<byte> picture, CellMask part, SceneSlot slot)
    {
        var least = Nearest(picture, part, _drawings.Value);
        var values = part.Cells.Count(true) * Values;
        if (least > (long)Limit * Limit * values)
        {
            // What can stand at a place is drawn only where it is asked for.
            if (!_slots.TryGetValue(slot, out var things))
                _slots[slot] = things = [.. SceneQuestions.Things(scene, slot).Select(answer => Draw(answer.Scene))];
            least = Math.Min(least, Nearest(picture, part, things));
        }
        return Math.Sqrt((double)least / values);
    }

    private static long Nearest(ReadOnlySpan<byte> picture, CellMask part, byte[][] drawings)
    {
        var least = long.MaxValue;
        foreach (var drawing in drawings)
            least = Math.Min(least, SceneProbe.Distance(picture, drawing, part));
        return least;
    }

    private static byte[] Draw(Scene scene) => SceneRenderer.Render(scene, SceneProbe.Size).Rgb;
}
