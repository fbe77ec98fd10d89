using SaeUnbox.Mini.Evaluation;
using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>What a paint step does to a picture.</summary>
/// <param name="Edit">Where it paints, and the correct result.</param>
/// <param name="Element">Index in <see cref="SceneElement.All"/> of the element that is painted or removed.</param>
/// <param name="Erases">Whether the element is removed.</param>
internal sealed record PaintedEdit(SceneEdit Edit, int Element, bool Erases);

/// <summary>Removes a thing from a scene.</summary>
internal sealed record RemovalEdit(CellMask Cells, SceneSlot Slot, SceneElement Element) : SceneEdit(Cells)
{
    public override IReadOnlyList<int> Labels => Element.Labels;

    public override (Scene Inside, Scene Outside) Truth(Scene scene)
    {
        var edited = scene with { Emptied = [.. scene.Emptied, Slot] };
        return (edited, edited);
    }
}

/// <summary>Draws random edits: things of any size almost anywhere, and backdrops over boxes and ellipses.</summary>
internal static class EditSampler
{
    private const double Things = .58, Removals = .12, BackdropRemovals = .2, Rounded = .4, Floating = .12, InSlots = .75;
    private const int Side = CellMask.Side, HorizonRow = 9;
    private const float Inset = .1f / Side;

    public static PaintedEdit Draw(Random random, Scene scene)
    {
        var choice = random.NextDouble();
        if (choice < Removals && Removal(random, scene) is { } removal)
            return removal;
        return choice >= Removals + Things ? Backdrop(random, scene) : random.NextDouble() < InSlots
            ? InSlot(random, scene) : Anywhere(random);
    }

    // At a slot of the layout, where the U-Net also draws things without an edit.
    private static PaintedEdit InSlot(Random random, Scene scene)
    {
        var (kind, element, named) = AnyThing(random);
        var slot = new SceneSlot(random.Next(2) + (kind.IsOfSky() ? 0 : 2), random.Next(4));
        var placed = SceneLayout.Place(named, scene.Noise, slot);
        var (top, left, height, width) = Around(placed);
        var (up, aside) = (random.Next(-1, 2), random.Next(-1, 2));
        var cells = Shape(random, top - Math.Max(0, up), left - Math.Max(0, aside), height + Math.Abs(up), width + Math.Abs(aside));
        return new(new SlotEdit(cells, slot, placed), element, false);
    }

    private static PaintedEdit Anywhere(Random random)
    {
        var (kind, element, named) = AnyThing(random);
        var (height, width) = (random.Next(3, 7), 0);
        width = Math.Clamp(height + random.Next(-1, 2), 3, 6);
        var anywhere = random.NextDouble() < Floating;
        var bottom = anywhere ? random.Next(height, Side + 1)
            : kind.IsOfSky() ? random.Next(height, Math.Max(HorizonRow, height) + 1)
            : random.Next(HorizonRow + 2, Side + 1);
        var (top, left) = (bottom - height, random.Next(0, Side - width + 1));
        var placed = ThingBounds.Fit(kind, named.Color ?? default,
            (float)left / Side + Inset, (float)top / Side + Inset, (float)(left + width) / Side - Inset, (float)bottom / Side - Inset);
        return new(new ThingEdit(Shape(random, top, left, height, width), placed), element, false);
    }

    private static PaintedEdit Backdrop(Random random, Scene scene)
    {
        var erases = random.NextDouble() < BackdropRemovals;
        var u = random.NextDouble();
        var (first, count, top, height) = u switch
        {
            < .34 => (SceneLabels.Of(SceneGround.Grass), 4, random.Next(7, 13), random.Next(3, 9)),
            < .64 => (SceneLabels.Of(SceneTime.Day), 4, random.Next(-1, 12), random.Next(3, 14)),
            < .80 => (SceneLabels.Of(SceneFar.Hills), 4, random.Next(3, 7), random.Next(4, 7)),
            _ => (SceneLabels.Of(SceneStyle.Mosaic)!.Value, 3, random.Next(-1, 12), random.Next(3, 14)),
        };
        var label = first + random.Next(count);
        var element = Pick(random, element => element.Thing is null && element.Labels[0] == label);
        var (left, width) = (random.Next(-2, 13), random.Next(3, 17));
        var cells = Shape(random, top, left, height, width);
        // Removes the element of the group that the scene has. The default of the caption takes its place.
        if (erases && SceneElement.All.Index().FirstOrDefault(one => IsPresent(one.Item)) is { Item: { } present } there
            && present.Without(scene.Facts) is { } rest)
            return new(new BackdropEdit(cells, rest, present.Labels[0]), there.Index, true);
        return new(new BackdropEdit(cells, SceneElement.All[element].Apply(scene.Facts), label), element, false);

        bool IsPresent(SceneElement one) => one.Thing is null && first <= one.Labels[0] && one.Labels[0] < first + count
            && one.Apply(scene.Facts) == scene.Facts;
    }

    private static PaintedEdit? Removal(Random random, Scene scene)
    {
        var placed = SceneLayout.Of(scene.Facts, scene.Noise);
        if (placed.Count == 0)
            return null;
        var (slot, thing) = placed[random.Next(placed.Count)];
        var (top, left, height, width) = Around(thing);
        var element = Pick(random, candidate => candidate.Thing is { } named && named.Kind == thing.Kind
            && (named.Color ?? thing.Color) == thing.Color);
        return new(new RemovalEdit(CellMask.Box(top, left, height, width), slot, SceneElement.All[element]), element, true);
    }

    // All kinds are equally likely, however many colours they have.
    private static (ThingKind Kind, int Element, NamedThing Named) AnyThing(Random random)
    {
        var kinds = Enum.GetValues<ThingKind>();
        var kind = kinds[random.Next(kinds.Length)];
        var element = Pick(random, element => element.Thing?.Kind == kind);
        return (kind, element, SceneElement.All[element].Thing!.Value);
    }

    // The cells that a thing mostly fills.
    private static (int Top, int Left, int Height, int Width) Around(PlacedThing thing)
    {
        var bounds = ThingBounds.Of(thing.Kind);
        var (top, left) = (Cell(thing.Y + bounds.Top * thing.Size, .35f), Cell(thing.X + bounds.Left * thing.Size, .35f));
        return (top, left, Cell(thing.Y + bounds.Bottom * thing.Size, .65f) - top, Cell(thing.X + bounds.Right * thing.Size, .65f) - left);

        static int Cell(float share, float rounding) => (int)MathF.Floor(share * Side + rounding);
    }

    private static CellMask Shape(Random random, int top, int left, int height, int width) => random.NextDouble() < Rounded
        ? CellMask.Ellipse(top + height / 2.0, left + width / 2.0, height / 2.0, width / 2.0)
        : CellMask.Box(top, left, height, width);

    private static int Pick(Random random, Func<SceneElement, bool> fits)
    {
        var candidates = SceneElement.All.Index().Where(entry => fits(entry.Item)).Select(entry => entry.Index).ToArray();
        return candidates[random.Next(candidates.Length)];
    }
}

/// <summary>
/// Directions of features of a trained dictionary that correlate with scene elements. A training that starts from a trained model paints
/// them, too. A feature may stand for a part of a thing; the U-Net learns to draw the whole thing.
/// </summary>
/// <param name="directions">Unit vectors [features, channels]. They are disposed with this object.</param>
/// <param name="ofElements">For each element, the rows of its features.</param>
internal sealed class FeatureDirections(Tensor directions, IReadOnlyDictionary<int, int[]> ofElements) : IDisposable
{
    private const int Purpose = 9, Pictures = 240, Batch = 8, MostOfElement = 3;
    private const double LeastCorrelation = .2, Share = .6;

    /// <summary>No directions.</summary>
    public static FeatureDirections None(long channels) => new(zeros(0, channels).DetachFromDisposeScope(), new Dictionary<int, int[]>());

    public Tensor Directions => directions;

    /// <summary>Finds the directions for each of <see cref="MiniSites.All"/>.</summary>
    /// <param name="start">The trained model with its autoencoders.</param>
    public static IReadOnlyList<FeatureDirections> Of(MiniFolder start, MiniTrainingOptions options, Device device)
    {
        using var noGrad = no_grad();
        using var saes = SaeSet.Load(start.Autoencoders, device);
        using var model = new MiniModel(start.Model, device);
        FeatureSelectivity[] selectivity =
            [.. MiniModel.Sites.Select(site => new FeatureSelectivity(saes[site].Features, SceneElement.All.Count, device))];
        for (var first = 0; first < Pictures; first += Batch)
        {
            using var scope = NewDisposeScope();
            CaptionedScene[] scenes = [.. Enumerable.Range(first, Batch)
                .Select(i => CaptionedScene.Draw(RandomAt.Place(options.Seed, Purpose, i), options.Scenes))];
            byte[][] maps = [.. scenes.Select(scene => SceneRenderer.Render(scene.Scene, options.CodedSize))
                .Select(picture => SceneElement.MapsOf(SceneLabels.Of(picture)))];
            using var run = model.Run(scenes);
            foreach (var (i, site) in MiniModel.Sites.Index())
                selectivity[i].Add(saes[site].Encode(run.Difference(site)), maps);
        }
        return [.. MiniModel.Sites.Select((site, i) => Choose(selectivity[i], saes[site]))];
    }

    /// <summary>A random row for an element; null if it has none, and sometimes otherwise.</summary>
    public int? Draw(Random random, int element) =>
        ofElements.GetValueOrDefault(element) is { } rows && random.NextDouble() < Share ? rows[random.Next(rows.Length)] : null;

    public void Dispose() => directions.Dispose();

    // A feature belongs to the element with the highest correlation.
    private static FeatureDirections Choose(FeatureSelectivity selectivity, IFeatureDictionary sae)
    {
        using var _ = selectivity;
        using var scope = NewDisposeScope();
        var chosen = selectivity.BestLabels().Index().Where(feature => feature.Item.Correlation >= LeastCorrelation)
            .GroupBy(feature => feature.Item.Label)
            .SelectMany(features => features.OrderByDescending(feature => feature.Item.Correlation).Take(MostOfElement)).ToArray();
        if (chosen.Length == 0)
            return None(sae.Width);
        var rows = chosen.Index().GroupBy(feature => feature.Item.Item.Label, feature => feature.Index);
        return new(stack(chosen.Select(feature => sae.Direction(feature.Index))).DetachFromDisposeScope(),
            rows.ToDictionary(features => features.Key, features => features.ToArray()));
    }
}
