using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace SaeUnbox.Serving;

/// <summary>Failed: the models could not be loaded. Broken: the device ran jobs, but can run no more.</summary>
public enum HostState { Loading, Ready, Failed, Broken }

/// <summary>
/// A device of this process: one thread that loads the device's models, runs jobs one at a time, and disposes the models at the end. No
/// other thread touches their tensors.
/// </summary>
internal sealed partial class ModelHost : IJobExecutor, IDisposable
{
    private readonly IReadOnlyList<ServedModel> _wanted;
    private readonly ILogger _logger;
    private readonly Thread _thread;
    private readonly BlockingCollection<Work> _inbox = [];
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, JobRunner> _runners = [];
    private readonly CancellationTokenSource _ending = new();

    private readonly TimeSpan _timeLimit;

    public ModelHost(string device, IReadOnlyList<ServedModel> models, TimeSpan timeLimit, ILogger logger)
    {
        (Device, _wanted, _timeLimit, _logger) = (device, models, timeLimit, logger);
        _thread = new Thread(Run) { IsBackground = true, Name = $"models on {device}" };
    }

    public string Device { get; }

    public HostState State { get; private set; } = HostState.Loading;

    public string? Failure { get; private set; }

    /// <summary>Empty until the host is ready.</summary>
    public IReadOnlyList<HostedModel> Models { get; private set; } = [];

    /// <summary>Completes when the models are loaded, or have failed to load.</summary>
    public Task Loaded => _loaded.Task;

    public void Start() => _thread.Start();

    public async Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default)
    {
        await Loaded.WaitAsync(cancellationToken).ConfigureAwait(false);
        return State == HostState.Ready ? [.. Models.Select(model => model.Info)] : [];
    }

    public Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report,
        CancellationToken cancellationToken = default)
    {
        var work = new Work(job, report, Activity.Current, cancellationToken);
        try
        {
            _inbox.Add(work, CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            work.Last.SetResult(new GenerationProgress.Cancelled(job.Id));
        }
        return work.Last.Task;
    }

    /// <summary>Stops loading, cancels the jobs that wait for the thread, and waits for it to end. Cancel the running job first.</summary>
    public void Dispose()
    {
        _inbox.CompleteAdding();
        _ending.Cancel();
        if (_thread.IsAlive)
            _thread.Join();
    }

    private void Run()
    {
        try
        {
            Load();
            foreach (var work in _inbox.GetConsumingEnumerable())
                Run(work);
        }
        catch (Exception exception)
        {
            (State, Failure) = (HostState.Failed, exception is ExternalException failure
                ? LibtorchError.Describe(failure)
                : exception.Message);
            Log.Stopped(_logger, exception, Device);
        }
        finally
        {
            _loaded.TrySetResult();
            _inbox.CompleteAdding();
            while (_inbox.TryTake(out var left))
                left.Last.SetResult(new GenerationProgress.Failed(left.Job.Id, Failure ?? "The program is stopping."));
            foreach (var model in Models)
                model.Dispose();
        }
    }

    private void Load()
    {
        var models = new List<HostedModel>();
        try
        {
            foreach (var wanted in _wanted)
            {
                var model = new HostedModel(LoadedModel.Load(
                    wanted.ToModelOptions() with { Note = note => Log.Noted(_logger, note) }, cancellation: _ending.Token), wanted);
                models.Add(model);
                _runners.Add(model.Info.Name, model.Runner);
                Log.Loaded(_logger, model.Info.Name, wanted.Folder, Device, Names.Of(model.Dtype));
            }
            (Models, State) = (models, HostState.Ready);
        }
        catch (OperationCanceledException)
        {
            (Models, State, Failure) = (models, HostState.Failed, "The program stopped while its models were loading.");
        }
        catch (Exception exception) when (exception is ModelException or SaeException or CheckpointException or ArgumentException
            or LibtorchException)
        {
            Models = models;
            (State, Failure) = (HostState.Failed, exception.Message);
            Log.NotLoaded(_logger, Device, exception.Message);
        }
        finally
        {
            _loaded.TrySetResult();
        }
    }

    private void Run(Work work)
    {
        var (job, report, span, cancellation) = work;
        if (Failure is not null || _ending.IsCancellationRequested)
        {
            work.Last.SetResult(Failure is null
                ? new GenerationProgress.Cancelled(job.Id)
                : new GenerationProgress.Failed(job.Id, $"The model cannot be used: {Failure}"));
            return;
        }
        // Makes the spans of the stages children of the caller's span.
        Activity.Current = span;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(_timeLimit);
        try
        {
            report(new(job.Id, 0, job.Recipe.Steps));
            var result = _runners[job.Recipe.Model].Run(job, (step, steps) => report(new(job.Id, step, steps)), limit.Token);
            work.Last.SetResult(new GenerationProgress.Completed(result));
        }
        catch (OperationCanceledException)
        {
            work.Last.SetResult(cancellation.IsCancellationRequested
                ? new GenerationProgress.Cancelled(job.Id)
                : new GenerationProgress.Failed(job.Id, string.Create(CultureInfo.InvariantCulture,
                    $"The picture took longer than {_timeLimit.TotalSeconds:0.###} s; ask for a smaller one, or for fewer steps.")));
        }
        catch (Exception exception) when (exception is RecipeException or ModelException or SaeException)
        {
            work.Last.SetResult(new GenerationProgress.Failed(job.Id, exception.Message));
        }
        catch (Exception exception)
        {
            Log.JobFailed(_logger, exception, job.Id);
            // The next job may still succeed.
            Probe(_runners[job.Recipe.Model]);
            work.Last.SetException(exception);
        }
        finally
        {
            Activity.Current = null;
        }
    }

    // After some errors a GPU fails every later call until the program restarts. A plain job shows whether this is the case.
    private void Probe(JobRunner runner)
    {
        try
        {
            runner.Run(new(Guid.NewGuid(), (runner.Model.NewRecipe() with { Seed = Random.Shared.Next() }).Check()) { Picture = null });
        }
        catch (Exception exception)
        {
            (State, Failure) = (HostState.Broken, $"{Device} failed and can run no more jobs; restart the program.");
            Log.Broke(_logger, exception, Device);
        }
    }

    /// <summary>A job handed to the thread.</summary>
    private sealed record Work(GenerationJob Job, Action<GenerationProgress.Running> Report, Activity? Span, CancellationToken Cancellation)
    {
        public TaskCompletionSource<GenerationProgress> Last { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Loaded model {Model} from {Folder} on {Device} in {Dtype}")]
        public static partial void Loaded(ILogger logger, string model, string folder, string device, string dtype);

        [LoggerMessage(2, LogLevel.Error, "The models of {Device} could not be loaded: {Reason}")]
        public static partial void NotLoaded(ILogger logger, string device, string reason);

        [LoggerMessage(3, LogLevel.Critical, "The thread of {Device} failed")]
        public static partial void Stopped(ILogger logger, Exception exception, string device);

        [LoggerMessage(4, LogLevel.Error, "Job {Job} failed")]
        public static partial void JobFailed(ILogger logger, Exception exception, Guid job);

        [LoggerMessage(6, LogLevel.Information, "{Note}")]
        public static partial void Noted(ILogger logger, string note);

        [LoggerMessage(5, LogLevel.Critical, "{Device} also failed on a plain job, and runs no more jobs")]
        public static partial void Broke(ILogger logger, Exception exception, string device);
    }
}

/// <summary>A loaded model, with the facts about it that other threads may read.</summary>
internal sealed class HostedModel : IDisposable
{
    private readonly LoadedModel _model;

    public HostedModel(LoadedModel model, ServedModel wanted)
    {
        _model = model;
        Runner = new JobRunner(model);
        Wanted = wanted;
        Statistics = [.. model.Saes.SelectMany(pair => Enumerable.Range(0, pair.Value.Features).Select(feature =>
            new FeatureStatistics(pair.Key, feature, pair.Value.Scale?.Mean[feature] ?? 0,
                pair.Value.Scale?.StandardDeviation?[feature] ?? 0)))];
    }

    public ModelInfo Info => _model.Info;

    public Dtype Dtype => _model.Dtype;

    public ServedModel Wanted { get; }

    public JobRunner Runner { get; }

    /// <summary>Of every feature, by site and number.</summary>
    public IReadOnlyList<FeatureStatistics> Statistics { get; }

    public void Dispose()
    {
        Runner.Dispose();
        _model.Dispose();
    }
}

/// <summary>Runs jobs on one model, on the calling thread.</summary>
public sealed class JobRunner(LoadedModel model) : IDisposable
{
    // Jobs above this many default pictures are rare, so their memory is of no use to the next one.
    private const double LargeCost = 4;
    private readonly RecipeRunner _runner = new(model);

    public ModelInfo Model => model.Info;

    /// <summary>Checks what only the loaded model knows.</summary>
    /// <exception cref="RecipeException">The model cannot run the job; the message names every field that does not fit.</exception>
    public void RequireFit(GenerationJob job) => RecipeFit.Require(job.Checked, model);

    /// <param name="progress">Called with the steps done and the steps in total.</param>
    /// <param name="cancellation">Stops the job between two stages.</param>
    /// <exception cref="RecipeException">The recipe does not fit the model.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled.</exception>
    public GenerationResult Run(GenerationJob job, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        var isLarge = model.Info.CostOf(job.Recipe) > LargeCost;
        var request = new RunRequest
        {
            Read = job.Sites,
            Picture = job.Picture is not null,
            Progress = progress,
            KeepPrefix = !isLarge || job.Canvas is not null,
        };
        try
        {
            return Encode(job, _runner.Run(job.Checked, request, cancellation));
        }
        finally
        {
            if (isLarge)
                Libtorch.ReturnFreedMemory(withManaged: job.Canvas is null); // not between the strokes of a canvas
        }
    }

    private GenerationResult Encode(GenerationJob job, RunOutcome outcome)
    {
        var note = model.Model.WarnAbout(job.Recipe.Prompt);
        if (outcome.Picture is not { } picture)
            return new(job.Id, job.Recipe, default, outcome.Maps, outcome.Timings) { Note = note };
        var encoding = new StageClock();
        var bytes = encoding.Time("encode", () => PictureEncoder.Encode(picture, job.Picture!.Value, Complete(job.Checked)));
        return new(job.Id, job.Recipe, bytes, outcome.Maps, [.. outcome.Timings, .. encoding.Timings]) { Note = note };
    }

    public void Dispose() => _runner.Dispose();

    // A recipe that names no LoRA was run with the model's.
    private CheckedRecipe Complete(CheckedRecipe recipe) =>
        recipe.Recipe.Loras.Count == Model.Loras.Count ? recipe : Model.WithLoras(recipe.Recipe).Check();
}

/// <summary>Encodes a picture in the format that a job requests.</summary>
internal static class PictureEncoder
{
    private const int Quality = 92;

    /// <summary>A PNG also holds the recipe.</summary>
    public static byte[] Encode(Picture picture, PictureFormat format, CheckedRecipe recipe) => format switch
    {
        PictureFormat.Jpeg => Jpeg.Encode(picture, Quality),
        PictureFormat.WebP => WebP.Encode(picture, Quality),
        _ => Png.Encode(picture, new Dictionary<string, string> { [Recipe.PngKeyword] = recipe.ToJson() }),
    };
}
