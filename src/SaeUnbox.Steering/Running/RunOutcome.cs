using System.Diagnostics;

namespace SaeUnbox.Steering;

/// <summary>What a run should return.</summary>
public sealed record RunRequest
{
    /// <summary>Sites whose activations are read at every step.</summary>
    public IReadOnlyList<Site> Read { get; init; } = [];

    /// <summary>False for activations only; the latents are then not decoded.</summary>
    public bool Picture { get; init; } = true;

    /// <summary>False to free what a recipe with other edits could reuse.</summary>
    public bool KeepPrefix { get; init; } = true;

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
/// Copies the tensors of a run for scripts: text.hidden [B, 77, D], text.pooled [B, P] if there is any, noise, step.N.latents,
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
