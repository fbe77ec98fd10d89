using SaeUnbox.Mini.Scenes;
using static TorchSharp.torch;

namespace SaeUnbox.Mini.Training;

internal enum StepKind { Plain, Swap, Paint }

/// <summary>What a worker trains in a step.</summary>
/// <param name="Kind">Plain pictures, deltas swapped between pictures, or painted directions.</param>
/// <param name="Site">Index of the edited site; the number of sites for a plain step.</param>
/// <param name="CutFrom">Index of the transformer from which the text is hidden, so that the caption does not undo an edit.</param>
/// <param name="PooledIsSilent">Whether the pooled text is replaced by zeros.</param>
/// <param name="Amplification">Factor on the patches of the noise.</param>
internal sealed record StepPlan(StepKind Kind, int Site, int CutFrom, bool PooledIsSilent, double Amplification)
{
    public static StepPlan Draw(Random random, int step, NetworkOptions options)
    {
        var done = (double)step / options.Steps;
        var kind = Kinds(random.NextDouble(), done, options);
        var site = kind == StepKind.Plain ? MiniSites.All.Count : random.Next(MiniSites.All.Count);
        var cuts = done >= options.CutFrom && random.NextDouble() < .5;
        // Plain steps hide the text from the first transformer on more often, because this is the hardest case.
        var cutFrom = !cuts ? int.MaxValue : kind == StepKind.Plain ? Math.Max(0, random.Next(-1, MiniSites.ReadersAfter.Count)) : site;
        var silent = done >= options.CutFrom && random.NextDouble() < .5;
        var amplification = options.AmplifiedShare <= 0 ? 1
            : Math.Max(1, options.Amplification - (options.Amplification - 1) * done / options.AmplifiedShare);
        return new(kind, site, cutFrom, silent, amplification);
    }

    private static StepKind Kinds(double u, double done, NetworkOptions options)
    {
        var swaps = done >= options.SwapFrom ? options.SwapShare : 0;
        var paints = done >= options.PaintFrom ? options.PaintShare : 0;
        return u < swaps ? StepKind.Swap : u < swaps + paints ? StepKind.Paint : StepKind.Plain;
    }
}

/// <summary>
/// The part of a worker's step that needs no weights. It depends only on seed, step and worker, and is drawn in parallel while an earlier
/// step is computed.
/// </summary>
/// <param name="Random">Used during the step.</param>
/// <param name="Edits">The edit of each picture in a paint step; empty for other steps.</param>
internal sealed record StepDraw(StepPlan Plan, Random Random, IReadOnlyList<TrainingSample> Samples, IReadOnlyList<RenderedEdit> Edits)
{
    private const int Purpose = 4, SamplePurpose = 10;

    public static StepDraw Of(int step, int worker, MiniTrainingOptions options, LatentCode code)
    {
        var place = worker + options.Network.Round * options.Network.Workers;
        var random = RandomAt.Place(options.Seed, Purpose, step, place);
        var plan = StepPlan.Draw(random, step, options.Network);
        var samples = new TrainingSample[options.Network.Batch];
        var edits = new RenderedEdit[plan.Kind == StepKind.Paint ? samples.Length : 0];
        Parallel.For(0, samples.Length, i =>
        {
            var own = RandomAt.Place(options.Seed, SamplePurpose, step, place, i);
            samples[i] = TrainingSample.Draw(own, options, code, plan.Amplification);
            if (plan.Kind == StepKind.Paint)
                edits[i] = RenderedEdit.Of(EditSampler.Draw(own, samples[i].Scene), samples[i].Scene, options.CodedSize, code);
        });
        return new(plan, random, samples, edits);
    }
}

/// <summary>An edit, and its correct result.</summary>
/// <param name="Latents">[4, 64, 64].</param>
/// <param name="Labels">[labels, 16, 16], 0 or 1.</param>
internal sealed record RenderedEdit(PaintedEdit Painted, float[] Latents, byte[] Labels)
{
    public static RenderedEdit Of(PaintedEdit painted, Scene scene, int size, LatentCode code)
    {
        var picture = SceneRenderer.Render(painted.Edit.Truth(scene).Inside, size);
        return new(painted, code.Encode(picture), SceneLabels.Of(picture));
    }
}

/// <summary>The tensors of a worker's step.</summary>
/// <param name="Noise">[B, 4, 64, 64].</param>
/// <param name="Ids">Ids of the first tokenizer, 77 for each caption.</param>
/// <param name="Ids2">Ids of the second tokenizer.</param>
/// <param name="Latents">Latents of the scenes without edits, [B, 4, 64, 64].</param>
/// <param name="Labels">Labels of the scenes without edits, [B, labels, 16, 16].</param>
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

    /// <summary>[B, 1, 16, 16], 1 in the cells of the masks.</summary>
    public static Tensor Masks(IEnumerable<CellMask> masks, Device device)
    {
        var cells = masks.SelectMany(mask => mask.Cells.ToArray().Select(cell => cell ? 1f : 0)).ToArray();
        return tensor(cells, device: device).reshape(-1, 1, CellMask.Side, CellMask.Side);
    }

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

/// <summary>A scene, and the caption and noise that determine it.</summary>
/// <param name="Noise">[4, 64, 64].</param>
/// <param name="Latents">The latents of the scene, [4, 64, 64].</param>
/// <param name="Labels">[labels, 16, 16], 0 or 1.</param>
/// <param name="Examples">For each of <see cref="SceneElement.All"/> a cell that shows it, or -1.</param>
internal sealed record TrainingSample(Scene Scene, string Caption, float[] Noise, float[] Latents, byte[] Labels, int[] Examples)
{
    /// <param name="amplification">Factor on the patches of the noise. Above 1 they are easier to recognise.</param>
    public static TrainingSample Draw(Random random, MiniTrainingOptions options, LatentCode code, double amplification)
    {
        var side = options.CodedSize / LatentCode.Patch;
        var noise = new float[LatentCode.Channels * side * side];
        for (var i = 0; i < noise.Length; i++)
            noise[i] = (float)Gauss.Next(random);
        var patches = NoisePatches.Of(noise);
        var scene = new Scene(SceneSampler.Draw(random, options.Scenes), patches);
        if (amplification != 1)
            patches.ImposeOn(noise, (float)amplification);
        var picture = SceneRenderer.Render(scene, options.CodedSize);
        var labels = SceneLabels.Of(picture);
        return new(scene, CaptionGrammar.Compose(scene.Facts, random), noise, code.Encode(picture), labels,
            [.. SceneElement.All.Select(element => Example(random, element, labels))]);
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
