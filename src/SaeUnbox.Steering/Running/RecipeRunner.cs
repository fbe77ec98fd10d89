using System.Diagnostics;
using static TorchSharp.torch;

namespace SaeUnbox.Steering;

/// <summary>
/// Runs recipes on one model. A recipe that differs from an earlier one only in its edits resumes at the first step and site that an edit
/// changes, and gives the same bits as a whole run. Used by one thread at a time.
/// </summary>
/// <param name="model">The model, which the caller disposes.</param>
/// <param name="prefixes">How many prefixes (see <see cref="Prefix"/>) to keep.</param>
public sealed class RecipeRunner(LoadedModel model, int prefixes = 4) : IDisposable
{
    private readonly PrefixCache _cache = new(prefixes);

    /// <summary>Checks and runs a recipe.</summary>
    /// <exception cref="RecipeException">The recipe is not valid or does not fit the model.</exception>
    /// <exception cref="ModelException">The model cannot run it.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled between two stages.</exception>
    public RunOutcome Run(Recipe recipe, RunRequest? request = null, CancellationToken cancellation = default) =>
        RunFitting(RecipeFit.Require(recipe, model).Recipe, request ?? new(), cancellation);

    /// <summary>Runs a checked recipe. Only what the loaded model alone knows is still checked.</summary>
    /// <exception cref="RecipeException">The recipe does not fit the model.</exception>
    /// <exception cref="ModelException">The model cannot run it.</exception>
    /// <exception cref="SaeException">A feature or a mask does not exist at its site.</exception>
    /// <exception cref="OperationCanceledException">The run was cancelled between two stages.</exception>
    public RunOutcome Run(CheckedRecipe recipe, RunRequest? request = null, CancellationToken cancellation = default)
    {
        RecipeFit.Require(recipe, model);
        return RunFitting(recipe.Recipe, request ?? new(), cancellation);
    }

    public void Dispose() => _cache.Dispose();

    private RunOutcome RunFitting(Recipe recipe, RunRequest request, CancellationToken cancellation)
    {
        model.UseThreads();
        using var scope = NewDisposeScope();
        using var mode = no_grad();
        using var plan = new SteeringPlan(recipe, model);
        var stages = new StageClock();
        var prefix = stages.Time("text", () => Begin(recipe, request.Recorder));
        var pass = new RecipePass(model, recipe, request, plan, prefix);
        var latents = stages.Time("unet", () => pass.Denoise(cancellation));
        var picture = request.Picture ? stages.Time("decode", () => Decode(latents, request.Recorder, cancellation)) : null;
        return new RunOutcome(picture, new ActivationMaps(pass.Readings), stages.Timings);
    }

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
        if (recorder is null)
            return _cache.For(recipe, () => new Prefix(model.Model.Begin(request)));
        var conditioning = model.Model.Encode(request);
        recorder.Keep("text.hidden", conditioning.Hidden);
        recorder.Keep("text.pooled", conditioning.Pooled);
        var prefix = _cache.For(recipe, () => new Prefix(model.Model.Begin(request, conditioning)));
        recorder.Keep("noise", prefix.Run.StartNoise);
        return prefix;
    }

    private Picture Decode(Tensor latents, RunRecorder? recorder, CancellationToken cancellation)
    {
        var image = model.Model.Decode(latents, cancellation);
        recorder?.Keep("image", image);
        var pixels = Pixels.ToBytes(image);
        return new Picture((int)pixels.shape[2], (int)pixels.shape[1], 3, pixels.bytes.ToArray());
    }
}

/// <summary>What a run should return.</summary>
public sealed record RunRequest
{
    /// <summary>Sites whose activations are read at every step.</summary>
    public IReadOnlyList<Site> Read { get; init; } = [];

    /// <summary>False for activations only; the latents are then not decoded.</summary>
    public bool Picture { get; init; } = true;

    /// <summary>Receives the tensors of the run; null for none.</summary>
    public RunRecorder? Recorder { get; init; }

    /// <summary>Called after each step with the number of finished steps and of all steps.</summary>
    public Action<int, int>? Progress { get; init; }
}

/// <summary>The results of a run.</summary>
/// <param name="Picture">Null if none was requested.</param>
/// <param name="Maps">The requested activations. They include the effect of edits at earlier sites.</param>
/// <param name="Timings">The duration of each stage, in order.</param>
public sealed record RunOutcome(Picture? Picture, ActivationMaps Maps, IReadOnlyList<StageTiming> Timings);

/// <summary>Times the stages of a run, and traces each as a span.</summary>
internal sealed class StageClock
{
    private readonly List<StageTiming> _timings = [];

    public IReadOnlyList<StageTiming> Timings => _timings;

    public T Time<T>(string stage, Func<T> work)
    {
        using var span = ServingTelemetry.Spans.StartActivity(stage);
        var start = Stopwatch.GetTimestamp();
        var result = work();
        _timings.Add(new StageTiming(stage, Stopwatch.GetElapsedTime(start)));
        return result;
    }
}

/// <param name="Stage">For example wait, text, unet, decode or encode.</param>
public sealed record StageTiming(string Stage, TimeSpan Duration)
{
    /// <summary>The time before the first stage.</summary>
    public const string Wait = "wait";
}

/// <summary>
/// Copies the tensors of a run for scripts: text.hidden [B, 77, D], text.pooled [B, P], noise, step.N.latents,
/// latents [1, C, h, w], image [1, 3, H, W] from 0 to 1, and of each site SITE.input and SITE.output (after hooks) [steps, B, C, h, w].
/// </summary>
/// <param name="sites">The sites to copy. If there are any, the run starts at its first step, whatever the cache holds.</param>
public sealed class RunRecorder(IReadOnlyList<Site> sites) : IDisposable
{
    private readonly Dictionary<string, Tensor> _tensors = [];
    private readonly Dictionary<string, List<Tensor>> _series = [];

    internal bool NeedsWholeRun => sites.Count > 0;

    /// <summary>A copied tensor, which the recorder owns.</summary>
    public Tensor this[string name] => _series.TryGetValue(name, out var steps) ? stack(steps) : _tensors[name];

    internal void Keep(string name, Tensor tensor) => _tensors[name] = Copy(tensor);

    /// <summary>Hooks the sites until disposed. Set after the edits, the hooks see the edited output.</summary>
    internal IEnumerable<IDisposable> Watch(ISteerableModel model) => sites.Select(site => model.Hook(site, (input, output) =>
    {
        Append($"{site}.input", input);
        Append($"{site}.output", output);
        return output;
    }));

    /// <summary>Writes all tensors to one safetensors file.</summary>
    public void Save(string path)
    {
        using var scope = NewDisposeScope();
        var all = _tensors.Concat(_series.Select(entry => KeyValuePair.Create(entry.Key, stack(entry.Value))));
        SafetensorsWriter.Write(path, [.. all.OrderBy(entry => entry.Key, StringComparer.Ordinal)]);
    }

    public void Dispose()
    {
        foreach (var tensor in _tensors.Values.Concat(_series.Values.SelectMany(steps => steps)))
            tensor.Dispose();
        _tensors.Clear();
        _series.Clear();
    }

    private void Append(string name, Tensor tensor)
    {
        if (!_series.TryGetValue(name, out var steps))
            _series[name] = steps = [];
        steps.Add(Copy(tensor));
    }

    private static Tensor Copy(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        return tensor.detach().cpu().contiguous().clone().DetachFromDisposeScope();
    }
}
