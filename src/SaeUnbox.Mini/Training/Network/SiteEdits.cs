using SaeUnbox.Mini.Scenes;
using TorchSharp;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>A change of one site's delta in training, and the picture it should lead to.</summary>
/// <param name="Change">From the site's delta to the one that goes on, both [B, channels, 16, 16].</param>
/// <param name="Target">Latents that would be right, [B, 4, 64, 64].</param>
/// <param name="Weight">Weight of each latent in the loss, [B, 1, 64, 64].</param>
/// <param name="Labels">Labels of the right picture, for the sites behind; null where there are none.</param>
internal sealed record SiteEdit(Func<Tensor, Tensor> Change, Tensor Target, Tensor Weight, Tensor? Labels);

/// <summary>
/// Directions of scene elements added over strokes, one element a picture, or taken out; the right result is drawn by the renderer.
/// The direction is the same in every cell of a stroke, as a brush paints it: the U-Net learns to make one whole thing of it.
/// </summary>
internal static class PaintEdit
{
    private const double EdgeWeight = .2;

    /// <param name="edits">One for each picture of the batch.</param>
    public static SiteEdit Draw(Random random, TrainingBatch batch, IReadOnlyList<RenderedEdit> edits, SiteMemory memory, LabelHead head, NetworkOptions options)
    {
        var device = batch.Latents.device;
        var masks = TrainingBatch.Masks(edits.Select(edit => edit.Painted.Edit.Cells), device);
        var directions = memory.Directions(random, [.. edits.Select(edit => edit.Painted.Element)], head.Directions.detach()).unsqueeze(-1).unsqueeze(-1) * masks;
        var (least, greatest) = (Math.Log(options.LeastStrength), Math.Log(options.GreatestStrength));
        var strengths = PerPicture(edit => edit.Erases ? 0 : Math.Exp(least + (greatest - least) * random.NextDouble())) * memory.Norm;
        var removals = PerPicture(edit => edit.Erases ? 1 + .6 * random.NextDouble() : 0);
        var (added, mean) = (directions * strengths, memory.Mean.reshape(1, -1, 1, 1));

        var side = batch.Latents.shape[2];
        var scale = side / CellMask.Side;
        var mask = Regions.Enlarge(masks, scale);
        var composite = PerPicture(edit => edit.Edit is BackdropEdit ? 1 : 0);
        var inside = TrainingBatch.Pictures(edits.Select(edit => edit.Latents), (int)side, device);
        // A thing's picture holds everywhere; a backdrop's only under the stroke.
        var part = (composite * mask.SubtractedFrom(1)).SubtractedFrom(1);
        var target = (inside * part).Plus(batch.Latents * part.SubtractedFrom(1));
        var labels = TrainingBatch.LabelMaps(edits.Select(edit => edit.Labels), device);
        var cells = (composite * masks.SubtractedFrom(1)).SubtractedFrom(1);
        return new(Change, target, (composite.Times(1 - EdgeWeight) * Regions.Edge(mask, scale)).SubtractedFrom(1), (labels * cells).Plus(batch.Labels * cells.SubtractedFrom(1)));

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
/// Deltas of one picture put into a region of another, added or in its place, half the time shifted by whole cells; the right
/// result is the composite of both pictures. It makes the deltas carry what is drawn, and where.
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
        return new(Change, (batch.Latents * mask.SubtractedFrom(1)).Plus(other * mask), Regions.Edge(mask, scale).Times(1 - EdgeWeight).SubtractedFrom(1), null);

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

/// <summary>Masks of cells as masks of latents.</summary>
internal static class Regions
{
    /// <summary>[B, 1, 16, 16] to [B, 1, 16 * factor, 16 * factor].</summary>
    public static Tensor Enlarge(Tensor masks, long factor)
    {
        using var scope = NewDisposeScope();
        return nn.functional.interpolate(masks, [masks.shape[2] * factor, masks.shape[3] * factor], mode: InterpolationMode.Nearest)
            .MoveToOuterDisposeScope();
    }

    /// <summary>Cells in which a thing shows, [B, 1, 16, 16], of labels [B, labels, 16, 16].</summary>
    public static Tensor OfThings(Tensor labels) => labels.narrow(1, SceneLabels.Of(default(ThingKind)), Enum.GetValues<ThingKind>().Length).amax(1).unsqueeze(1);

    /// <summary>1 within <paramref name="reach"/> latents of the mask's border, on both sides of it.</summary>
    public static Tensor Edge(Tensor mask, long reach)
    {
        using var scope = NewDisposeScope();
        var near = Mean(mask, reach);
        return (near.IsAbove(1e-4) * near.IsBelow(1 - 1e-4)).to_type(ScalarType.Float32).MoveToOuterDisposeScope();
    }

    // The mean over a window is strictly between 0 and 1 exactly where the window holds both sides.
    private static Tensor Mean(Tensor mask, long reach)
    {
        var padded = nn.functional.pad(mask, [reach, reach, reach, reach], mode: PaddingModes.Replicate);
        return nn.functional.avg_pool2d(padded, [2 * reach + 1, 2 * reach + 1], stride: [1, 1]);
    }
}
