using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>
/// Runs recipes on one model. A recipe that differs from an earlier one only in its edits starts again at the first thing an
/// edit touches, with the same bits as a whole run. Used by one thread at a time.
/// </summary>
/// <param name="model">The model; the caller's.</param>
/// <param name="prefixes">How many prefixes (see <see cref="Prefix"/>) are held.</param>
public sealed class RecipeRunner(LoadedModel model, int prefixes = 4) : IDisposable
{
    private readonly PrefixCache cache = new(prefixes);

    /// <summary>Makes what a recipe says.</summary>
    /// <exception cref="RecipeException">The recipe is not valid or does not fit the model.</exception>
    /// <exception cref="ModelException">The model cannot make it.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled between two stages.</exception>
    public RunOutcome Run(Recipe recipe, RunRequest? request = null, CancellationToken cancellation = default)
    {
        RecipeFit.Require(recipe, model);
        request ??= new();
        model.UseThreads();
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        using var plan = new SteeringPlan(recipe, model.Saes);
        var stages = new StageClock();
        var prefix = stages.Time("text", () => Begin(recipe, request.Recorder));
        var pass = new RecipePass(model, recipe, request, plan, prefix);
        var latents = stages.Time("unet", () => pass.Denoise(cancellation));
        var picture = request.Picture ? stages.Time("decode", () => Decode(latents, request.Recorder, cancellation)) : null;
        return new RunOutcome(picture, new ActivationMaps(pass.Readings), stages.Timings);
    }

    public void Dispose() => cache.Dispose();

    private Prefix Begin(Recipe recipe, RunRecorder? recorder)
    {
        var request = new ImageRequest
        {
            Prompts = [recipe.Prompt],
            NegativePrompts = recipe.NegativePrompt is { } negative ? [negative] : null,
            Seeds = [recipe.Seed],
            Steps = recipe.Steps,
            Guidance = recipe.Guidance,
            Width = recipe.Width,
            Height = recipe.Height,
        };
        if (recorder is null) return cache.For(recipe, () => new Prefix(model.Pipeline.Begin(request)));
        var conditioning = model.Pipeline.Encode(request);
        recorder.Keep("text.hidden", conditioning.Hidden);
        recorder.Keep("text.pooled", conditioning.Pooled);
        var prefix = cache.For(recipe, () => new Prefix(model.Pipeline.Begin(request, conditioning)));
        recorder.Keep("noise", prefix.Run.StartNoise);
        return prefix;
    }

    private Picture Decode(Tensor latents, RunRecorder? recorder, CancellationToken cancellation)
    {
        var image = model.Pipeline.Decode(latents, cancellation);
        recorder?.Keep("image", image);
        var pixels = Pixels.ToBytes(image);
        return new Picture((int)pixels.shape[2], (int)pixels.shape[1], 3, pixels.bytes.ToArray());
    }
}
