using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

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
