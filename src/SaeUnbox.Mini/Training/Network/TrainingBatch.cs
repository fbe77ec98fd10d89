using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

/// <summary>The tensors of one worker's step.</summary>
/// <param name="Noise">[B, 4, 64, 64].</param>
/// <param name="Ids">Of the first tokenizer, 77 for each caption.</param>
/// <param name="Ids2">Of the second.</param>
/// <param name="Latents">Of the scenes as they are, [B, 4, 64, 64].</param>
/// <param name="Labels">Of the scenes as they are, [B, labels, 16, 16].</param>
internal sealed record TrainingBatch(IReadOnlyList<TrainingSample> Samples, Tensor Noise,
    IReadOnlyList<IReadOnlyList<int>> Ids, IReadOnlyList<IReadOnlyList<int>> Ids2, Tensor Latents, Tensor Labels)
{
    public static TrainingBatch Of(IReadOnlyList<TrainingSample> samples, ClipTokenizer tokenizer, ClipTokenizer tokenizer2, Device device)
    {
        var side = (int)Math.Sqrt(samples[0].Latents.Length / LatentCode.Channels);
        return new(samples, Pictures(samples.Select(sample => sample.Noise), side, device), Ids(tokenizer), Ids(tokenizer2),
            Pictures(samples.Select(sample => sample.Latents), side, device), LabelMaps(samples.Select(sample => sample.Labels), device));

        IReadOnlyList<IReadOnlyList<int>> Ids(ClipTokenizer with) => [.. samples.Select(sample => with.Tokenize(sample.Caption).Ids)];
    }

    public static Tensor Pictures(IEnumerable<float[]> latents, int side, Device device) =>
        tensor(Joined(latents), device: device).reshape(-1, LatentCode.Channels, side, side);

    public static Tensor LabelMaps(IEnumerable<byte[]> labels, Device device) =>
        tensor(Joined(labels), device: device).to_type(ScalarType.Float32).reshape(-1, SceneLabels.Count, CellMask.Side, CellMask.Side);

    /// <summary>1 in the masks' cells: [B, 1, 16, 16].</summary>
    public static Tensor Masks(IEnumerable<CellMask> masks, Device device) =>
        tensor(masks.SelectMany(mask => mask.Cells.ToArray().Select(cell => cell ? 1f : 0)).ToArray(), device: device).reshape(-1, 1, CellMask.Side, CellMask.Side);

    private static T[] Joined<T>(IEnumerable<T[]> parts)
    {
        T[][] all = [.. parts];
        var joined = new T[all.Sum(part => part.Length)];
        var next = 0;
        foreach (var part in all)
        {
            part.CopyTo(joined, next);
            next += part.Length;
        }
        return joined;
    }
}
