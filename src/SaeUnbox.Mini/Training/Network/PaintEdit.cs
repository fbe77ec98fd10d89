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

    public static SiteEdit Draw(Random random, TrainingBatch batch, SiteMemory memory, LabelHead head, MiniTrainingOptions options, LatentCode code)
    {
        var edits = batch.Samples.Select(sample => EditSampler.Draw(random, sample.Scene)).ToArray();
        var masks = TrainingBatch.Masks(edits.Select(edit => edit.Edit.Cells));
        var directions = stack(edits.Select(edit => memory.Direction(random, edit.Element, head.Directions.detach()))).unsqueeze(-1).unsqueeze(-1) * masks;
        var (least, greatest) = (Math.Log(options.Network.LeastStrength), Math.Log(options.Network.GreatestStrength));
        var strengths = PerPicture(edit => edit.Erases ? 0 : Math.Exp(least + (greatest - least) * random.NextDouble())) * memory.Norm;
        var removals = PerPicture(edit => edit.Erases ? 1 + .6 * random.NextDouble() : 0);
        var (added, mean) = (directions * strengths, memory.Mean.reshape(1, -1, 1, 1));

        var truths = edits.Zip(batch.Samples, (edit, sample) => Render(edit.Edit, sample.Scene, options, code)).ToArray();
        var side = batch.Latents.shape[2];
        var scale = side / CellMask.Side;
        var mask = Regions.Enlarge(masks, scale);
        var composite = PerPicture(edit => edit.Edit is BackdropEdit ? 1 : 0);
        var inside = TrainingBatch.Pictures(truths.Select(truth => truth.Latents), (int)side);
        // A thing's picture holds everywhere; a backdrop's only under the stroke.
        var part = 1 - composite * (1 - mask);
        var target = inside * part + batch.Latents * (1 - part);
        var labels = TrainingBatch.LabelMaps(truths.Select(truth => truth.Labels));
        var cells = 1 - composite * (1 - masks);
        return new(Change, target, 1 - (1 - EdgeWeight) * composite * Regions.Edge(mask, scale), labels * cells + batch.Labels * (1 - cells));

        Tensor Change(Tensor delta)
        {
            var along = ((delta - mean) * directions).sum([1L], keepdim: true).relu();
            return delta + added - removals * along * directions;
        }

        Tensor PerPicture(Func<PaintedEdit, double> value) => tensor(edits.Select(edit => (float)value(edit)).ToArray()).reshape(-1, 1, 1, 1);
    }

    private static (float[] Latents, byte[] Labels) Render(SceneEdit edit, Scene scene, MiniTrainingOptions options, LatentCode code)
    {
        var picture = SceneRenderer.Render(edit.Truth(scene).Inside, options.PictureSize);
        return (code.Encode(picture), SceneLabels.Of(picture));
    }
}
