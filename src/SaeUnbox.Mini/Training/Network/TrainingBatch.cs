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

/// <summary>One scene with a caption and a noise that lead to it.</summary>
/// <param name="Noise">[4, 64, 64].</param>
/// <param name="Latents">The scene's code, [4, 64, 64].</param>
/// <param name="Labels">[labels, 16, 16], 0 or 1.</param>
/// <param name="Examples">For each of <see cref="SceneElement.All"/> one of the cells in which it is, -1 where it is in none.</param>
internal sealed record TrainingSample(Scene Scene, string Caption, float[] Noise, float[] Latents, byte[] Labels, int[] Examples)
{
    /// <param name="amplification">What the noise's patches are multiplied by: above 1 they are easier to read.</param>
    public static TrainingSample Draw(Random random, MiniTrainingOptions options, LatentCode code, double amplification)
    {
        var side = options.PictureSize / LatentCode.Patch;
        var noise = new float[LatentCode.Channels * side * side];
        for (var i = 0; i < noise.Length; i++)
            noise[i] = (float)Gauss.Next(random);
        var patches = NoisePatches.Of(noise);
        var scene = new Scene(SceneSampler.Draw(random, options.Scenes), patches);
        if (amplification != 1)
            patches.ImposeOn(noise, (float)amplification);
        var picture = SceneRenderer.Render(scene, options.PictureSize);
        var labels = SceneLabels.Of(picture);
        return new(scene, CaptionGrammar.Compose(scene.Facts, random), noise, code.Encode(picture), labels, [.. SceneElement.All.Select(element => Example(random, element, labels))]);
    }

    private static int Example(Random random, SceneElement element, byte[] labels)
    {
        const int cells = CellMask.Side * CellMask.Side;
        Span<int> found = stackalloc int[cells];
        var count = 0;
        for (var cell = 0; cell < cells; cell++)
        {
            var holds = true;
            foreach (var label in element.Labels)
                holds &= labels[label * cells + cell] == 1;
            if (holds)
                found[count++] = cell;
        }
        return count == 0 ? -1 : found[random.Next(count)];
    }
}
