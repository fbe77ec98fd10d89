using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

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
