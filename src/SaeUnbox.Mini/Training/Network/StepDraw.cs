using SaeUnbox.Mini.Scenes;

namespace SaeUnbox.Mini.Training;

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
