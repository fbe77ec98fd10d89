using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

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
