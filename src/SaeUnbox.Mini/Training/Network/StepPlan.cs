using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

internal enum StepKind { Plain, Swap, Paint }

/// <summary>What one step of one worker practises.</summary>
/// <param name="Kind">Plain pictures, deltas of one picture put into another, or painted directions.</param>
/// <param name="Site">Index of the site that is edited; for plain steps the number of sites, past all of them.</param>
/// <param name="CutFrom">From this reader on the text is silent, so that an edit is not undone by reading the caption again.</param>
/// <param name="PooledIsSilent">The pooled text is zero.</param>
/// <param name="Amplification">Of the noise's patches.</param>
internal sealed record StepPlan(StepKind Kind, int Site, int CutFrom, bool PooledIsSilent, double Amplification)
{
    public static StepPlan Draw(Random random, int step, NetworkOptions options)
    {
        var done = (double)step / options.Steps;
        var kind = Kinds(random.NextDouble(), done, options);
        var site = kind == StepKind.Plain ? MiniSites.All.Count : random.Next(MiniSites.All.Count);
        var cuts = done >= options.CutFrom && random.NextDouble() < .5;
        // Plain steps more often lose the text from the start of the readers, which is the hardest.
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
/// All of one worker's step that needs no weights: it depends on seed, step and worker alone, so it can be drawn while an earlier
/// step is computed, picture by picture side by side.
/// </summary>
/// <param name="Random">For what is drawn when the step is computed.</param>
/// <param name="Edits">What a paint step does to each picture; empty for other steps.</param>
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
                edits[i] = RenderedEdit.Of(EditSampler.Draw(own, samples[i].Scene), samples[i].Scene, options.PictureSize, code);
        });
        return new(plan, random, samples, edits);
    }
}

/// <summary>An edit, and the picture that it should lead to.</summary>
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
