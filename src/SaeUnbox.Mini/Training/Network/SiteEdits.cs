using SaeUnbox.Mini.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>A change of the delta of a site in training, and the correct result.</summary>
/// <param name="Change">Changes a delta [B, channels, 16, 16].</param>
/// <param name="Target">The correct latents, [B, 4, 64, 64].</param>
/// <param name="Weight">Weight of each latent cell in the loss, [B, 1, 64, 64].</param>
/// <param name="Labels">Labels of the correct picture, [B, labels, 16, 16]; null if unknown.</param>
internal sealed record SiteEdit(Func<Tensor, Tensor> Change, Tensor Target, Tensor Weight, Tensor? Labels);

/// <summary>
/// Adds the direction of a scene element in the cells of a stroke, or removes it. The renderer draws the correct result. All cells of a
/// stroke get the same direction, as a brush paints it; the U-Net learns to draw one whole thing.
/// </summary>
internal static class PaintEdit
{
    private const double EdgeWeight = .2;

    /// <param name="edits">An edit for each picture of the batch.</param>
    public static SiteEdit Draw(
        Random random, TrainingBatch batch, IReadOnlyList<RenderedEdit> edits, SiteMemory memory, LabelHead head, NetworkOptions options)
    {
        var device = batch.Latents.device;
        var masks = TrainingBatch.Masks(edits.Select(edit => edit.Painted.Edit.Cells), device);
        var elements = edits.Select(edit => edit.Painted.Element).ToArray();
        var directions = memory.Directions(random, elements, head.Directions.detach()).unsqueeze(-1).unsqueeze(-1) * masks;
        var (least, greatest) = (Math.Log(options.LeastStrength), Math.Log(options.GreatestStrength));
        var strengths = PerPicture(edit => edit.Erases ? 0 : Math.Exp(least + (greatest - least) * random.NextDouble())) * memory.Norm;
        var removals = PerPicture(edit => edit.Erases ? 1 + .6 * random.NextDouble() : 0);
        var (added, mean) = (directions * strengths, memory.Mean.reshape(1, -1, 1, 1));

        var side = batch.Latents.shape[2];
        var scale = side / CellMask.Side;
        var mask = Regions.Enlarge(masks, scale);
        var composite = PerPicture(edit => edit.Edit is BackdropEdit ? 1 : 0);
        var inside = TrainingBatch.Pictures(edits.Select(edit => edit.Latents), (int)side, device);
        // The edited picture is correct everywhere for a thing, but only under the stroke for a backdrop.
        var part = (composite * mask.SubtractedFrom(1)).SubtractedFrom(1);
        var target = (inside * part).Plus(batch.Latents * part.SubtractedFrom(1));
        var labels = TrainingBatch.LabelMaps(edits.Select(edit => edit.Labels), device);
        var cells = (composite * masks.SubtractedFrom(1)).SubtractedFrom(1);
        var weight = (composite.Times(1 - EdgeWeight) * Regions.Edge(mask, scale)).SubtractedFrom(1);
        return new(Change, target, weight, (labels * cells).Plus(batch.Labels * cells.SubtractedFrom(1)));

        Tensor Change(Tensor delta)
        {
            var along = ((delta - mean) * directions).sum([1L], keepdim: true).relu();
            return delta.Plus(added) - removals * along * directions;
        }

        Tensor PerPicture(Func<PaintedEdit, double> value) =>
            tensor(edits.Select(edit => (float)value(edit.Painted)).ToArray(), device: device).reshape(-1, 1, 1, 1);
    }
}

/// <summary>
/// Adds the delta of one picture to a region of another, or replaces it, half the time shifted by whole cells. The correct result is the
/// composite of both pictures. This makes deltas represent what is drawn, and where.
/// </summary>
internal static class SwapEdit
{
    private const double Nowhere = .1, Added = .65, Shifted = .5, EdgeWeight = .2;

    public static SiteEdit Draw(Random random, TrainingBatch batch, SiteMemory memory)
    {
        var masks = TrainingBatch.Masks(batch.Samples.Select(_ => Region(random)), batch.Latents.device);
        var (down, right) = random.NextDouble() < Shifted ? (random.Next(-4, 5), random.Next(-8, 9)) : (0, 0);
        var strength = random.NextDouble() < Added ? 1 + 1.5 * random.NextDouble() : 0;
        var mean = memory.Mean.reshape(1, -1, 1, 1);
        var scale = batch.Latents.shape[2] / CellMask.Side;
        var mask = Regions.Enlarge(masks, scale);
        var other = Moved(batch.Latents, scale);
        var target = (batch.Latents * mask.SubtractedFrom(1)).Plus(other * mask);
        return new(Change, target, Regions.Edge(mask, scale).Times(1 - EdgeWeight).SubtractedFrom(1), null);

        Tensor Change(Tensor delta) => strength > 0
            ? delta.Plus(masks.Times(strength) * (Moved(delta, 1) - mean))
            : (delta * masks.SubtractedFrom(1)).Plus(Moved(delta, 1) * masks);

        Tensor Moved(Tensor x, long unit) => x.roll([1, down * unit, right * unit], [0, 2, 3]);
    }

    private static CellMask Region(Random random)
    {
        if (random.NextDouble() < Nowhere)
            return CellMask.Box(0, 0, 0, 0);
        var (row, column) = (1 + 14 * random.NextDouble(), 1 + 14 * random.NextDouble());
        var (height, width) = (1.5 + 5 * random.NextDouble(), 1.5 + 5 * random.NextDouble());
        return random.NextDouble() < .5
            ? CellMask.Ellipse(row, column, height, width)
            : CellMask.Box((int)(row - height), (int)(column - width), (int)(2 * height), (int)(2 * width));
    }
}

/// <summary>Converts masks of grid cells to masks of latent cells.</summary>
internal static class Regions
{
    /// <summary>[B, 1, 16, 16] to [B, 1, 16 * factor, 16 * factor].</summary>
    public static Tensor Enlarge(Tensor masks, long factor)
    {
        using var scope = NewDisposeScope();
        return nn.functional.interpolate(masks, [masks.shape[2] * factor, masks.shape[3] * factor], mode: InterpolationMode.Nearest)
            .MoveToOuterDisposeScope();
    }

    /// <summary>The cells with a thing, [B, 1, 16, 16], from labels [B, labels, 16, 16].</summary>
    public static Tensor OfThings(Tensor labels) =>
        labels.narrow(1, SceneLabels.Of(default(ThingKind)), Enum.GetValues<ThingKind>().Length).amax(1).unsqueeze(1);

    /// <summary>1 within <paramref name="reach"/> latent cells of the border of a mask, on both sides.</summary>
    public static Tensor Edge(Tensor mask, long reach)
    {
        using var scope = NewDisposeScope();
        var near = Mean(mask, reach);
        return (near.IsAbove(1e-4) * near.IsBelow(1 - 1e-4)).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    // The mean is strictly between 0 and 1 if the window contains both sides of the border.
    private static Tensor Mean(Tensor mask, long reach)
    {
        var padded = nn.functional.pad(mask, [reach, reach, reach, reach], mode: PaddingModes.Replicate);
        return nn.functional.avg_pool2d(padded, [2 * reach + 1, 2 * reach + 1], stride: [1, 1]);
    }
}

/// <summary>
/// Statistics of the deltas of a site: their running mean, their mean distance from it, and recent examples of each scene element from
/// cells that show it. Paint steps get their directions from here.
/// </summary>
internal sealed class SiteMemory : IDisposable
{
    private const int Examples = 32;
    private readonly string _site;
    private readonly FeatureDirections _features;

    public SiteMemory(string site, long channels, FeatureDirections features, Device device)
    {
        (_site, _features) = (site, features);
        Mean = zeros(channels, device: device).DetachFromDisposeScope();
        Norm = ones(1, device: device).DetachFromDisposeScope();
        Bank = zeros([SceneElement.All.Count, Examples, channels], device: device).DetachFromDisposeScope();
        Counts = zeros([SceneElement.All.Count], ScalarType.Int64).DetachFromDisposeScope();
    }

    /// <summary>[channels].</summary>
    public Tensor Mean { get; }

    /// <summary>Mean distance of deltas from <see cref="Mean"/>, [1].</summary>
    public Tensor Norm { get; }

    private Tensor Bank { get; }

    // Number of examples of each element. On the CPU, where choices are made.
    private Tensor Counts { get; }

    public IEnumerable<KeyValuePair<string, Tensor>> State =>
    [
        new($"memory.{_site}.mean", Mean), new($"memory.{_site}.norm", Norm),
        new($"memory.{_site}.bank", Bank), new($"memory.{_site}.counts", Counts),
    ];

    /// <summary>Updates the statistics.</summary>
    /// <param name="deltas">Deltas of pictures without edits, [B, channels, 16, 16].</param>
    /// <param name="examples">For each picture and element a cell that shows it, or -1.</param>
    /// <param name="isEarly">Whether the running means should change fast.</param>
    public void Learn(Random random, Tensor deltas, IReadOnlyList<int[]> examples, bool isEarly)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        var rows = deltas.permute(0, 2, 3, 1).reshape(-1, deltas.shape[1]);
        var share = isEarly ? .2 : .02;
        Mean.MultiplyInPlace(1 - share).Accumulate(rows.mean([0L]), share);
        Norm.MultiplyInPlace(1 - share).Accumulate((rows - Mean).norm(1).mean(), share);
        var counts = Counts.data<long>().ToArray();
        var (slots, found) = (new List<long>(), new List<long>());
        for (var element = 0; element < counts.Length; element++)
        {
            var holders = Enumerable.Range(0, examples.Count).Where(picture => examples[picture][element] >= 0).ToArray();
            if (holders.Length == 0)
                continue;
            var picture = holders[random.Next(holders.Length)];
            found.Add(picture * CellMask.Side * CellMask.Side + examples[picture][element]);
            slots.Add(element * Examples + counts[element]++ % Examples);
        }
        var shown = rows.index_select(0, tensor(found.ToArray(), device: Bank.device));
        Bank.view(-1, Bank.shape[2]).index_copy_(0, tensor(slots.ToArray(), device: Bank.device), shown);
        Counts.copy_(tensor(counts));
    }

    /// <summary>
    /// Unit directions of elements, [elements, channels]. Each comes at random from the label head, the mean of the examples, a single
    /// example, or a feature of a known dictionary, so that any direction that a dictionary may find stands for the whole element.
    /// </summary>
    /// <param name="head">Directions of the label head, [labels, channels].</param>
    public Tensor Directions(Random random, IReadOnlyList<int> elements, Tensor head)
    {
        using var scope = NewDisposeScope();
        // Each direction is a mixture of the rows of a table: labels, examples, features.
        var table = cat([Units(head), (Bank - Mean).flatten(0, 1), _features.Directions.to(Bank.device)]);
        var (counts, rows, labels) = (Counts.data<long>().ToArray(), (int)table.shape[0], (int)head.shape[0]);
        var mixtures = new float[elements.Count * rows];
        foreach (var (i, element) in elements.Index())
        {
            var mixture = mixtures.AsSpan(i * rows, rows);
            if (_features.Draw(random, element) is { } feature)
            {
                mixture[labels + (int)(Bank.shape[0] * Examples) + feature] = 1;
                continue;
            }
            var known = (int)Math.Min(Examples, counts[element]);
            var examples = mixture.Slice(labels + element * Examples, known);
            var choice = random.NextDouble();
            if (known == 0 || choice < .25)
                foreach (var (place, label) in SceneElement.All[element].Labels.Index())
                    mixture[label] = place == 0 ? 1 : (float)(.4 + .6 * random.NextDouble());
            else if (choice < .55)
                examples.Fill(1f / known);
            else
                examples[random.Next(known)] = 1;
        }
        // Cloned, because the alignment of managed memory varies, and the last bits of a product depend on it.
        return Units(tensor(mixtures, device: Bank.device).clone().reshape(elements.Count, rows).mm(table)).MoveToOuterDisposeScope();
    }

    /// <summary>The unit direction from the mean of all deltas to the mean of the examples of an element, [channels].</summary>
    public Tensor MeanDirection(int element)
    {
        using var scope = NewDisposeScope();
        var known = (int)Math.Clamp(Counts[element].item<long>(), 1, Examples);
        return Units(Bank[element].narrow(0, 0, known).mean([0L], keepdim: true) - Mean).squeeze(0).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var (_, tensor) in State)
            tensor.Dispose();
        _features.Dispose();
    }

    private static Tensor Units(Tensor rows) => rows / rows.norm(1, keepdim: true).Plus(1e-6);
}
