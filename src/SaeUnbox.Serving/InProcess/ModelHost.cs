using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace SaeUnbox.Serving;

/// <summary>Failed: the models could not be loaded. Broken: the device ran jobs, but can run no more.</summary>
public enum HostState { Loading, Ready, Failed, Broken }

/// <summary>
/// The single thread of a device. It loads the device's models, runs their jobs one at a time, and disposes the models at the end. No other
/// thread touches their tensors.
/// </summary>
internal sealed partial class ModelHost : IDisposable
{
    private readonly string _device;
    private readonly IReadOnlyList<ServedModel> _wanted;
    private readonly InProcessQueue _queue;
    private readonly ILogger _logger;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Dictionary<string, JobRunner> _runners = [];
    private readonly CancellationTokenSource _ending = new();

    public ModelHost(string device, IReadOnlyList<ServedModel> models, InProcessQueue queue, ILogger logger)
    {
        (_device, _wanted, _queue, _logger) = (device, models, queue, logger);
        _thread = new Thread(Run) { IsBackground = true, Name = $"models on {device}" };
    }

    public string Device => _device;

    public HostState State { get; private set; } = HostState.Loading;

    /// <summary>Why the host failed or broke, in one sentence.</summary>
    public string? Failure { get; private set; }

    /// <summary>Empty until the host is ready.</summary>
    public IReadOnlyList<HostedModel> Models { get; private set; } = [];

    /// <summary>Completes when the models are loaded, or have failed to load.</summary>
    public Task Loaded => _loaded.Task;

    public void Start() => _thread.Start();

    /// <summary>Stops loading, and waits for the thread to end. Close the queue first.</summary>
    public void Dispose()
    {
        _ending.Cancel();
        if (_thread.IsAlive)
            _thread.Join();
    }

    private void Run()
    {
        try
        {
            Load();
            while (State != HostState.Broken && _queue.Take(_runners.Keys, _device) is { } record)
                Run(record);
        }
        catch (Exception exception)
        {
            (State, Failure) = (HostState.Failed, exception is ExternalException failure ? LibtorchError.Describe(failure) : exception.Message);
            Log.Stopped(_logger, exception, _device);
        }
        finally
        {
            // Fails the jobs that only this device could run.
            _queue.ModelsChanged();
            _loaded.TrySetResult();
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
                var model = new HostedModel(LoadedModel.Load(wanted.ToModelOptions(), cancellation: _ending.Token), wanted);
                models.Add(model);
                _runners.Add(model.Info.Name, model.Runner);
                Log.Loaded(_logger, model.Info.Name, wanted.Folder, _device, Names.Of(wanted.ToModelOptions().Dtype));
            }
            (Models, State) = (models, HostState.Ready);
        }
        catch (OperationCanceledException)
        {
            (Models, State, Failure) = (models, HostState.Failed, "The program stopped while its models were loading.");
        }
        catch (Exception exception) when (exception is ModelException or SaeException or CheckpointException or ArgumentException or LibtorchException)
        {
            Models = models;
            (State, Failure) = (HostState.Failed, exception.Message);
            Log.NotLoaded(_logger, _device, exception.Message);
        }
        finally
        {
            _queue.ModelsChanged();
            _loaded.TrySetResult();
        }
    }

    private void Run(JobRecord record)
    {
        var job = record.Job;
        // Makes the spans of the stages children of the job's span.
        Activity.Current = record.Telemetry?.Span;
        try
        {
            record.Report(new GenerationProgress.Running(job.Id, 0, job.Recipe.Steps));
            var result = _runners[job.Recipe.Model].Run(job, (step, steps) => record.Report(new GenerationProgress.Running(job.Id, step, steps)), record.Cancellation.Token);
            _queue.Completed(record, result);
        }
        catch (OperationCanceledException)
        {
            _queue.Ended(record, new GenerationProgress.Cancelled(job.Id));
        }
        catch (Exception exception) when (exception is RecipeException or ModelException or SaeException)
        {
            _queue.Ended(record, new GenerationProgress.Failed(job.Id, exception.Message));
        }
        catch (Exception exception)
        {
            // The next job may still succeed.
            Log.JobFailed(_logger, exception, job.Id);
            Probe(_runners[job.Recipe.Model]);
            _queue.DeviceFailed(record, exception);
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
            runner.Run(new(Guid.NewGuid(), runner.Model.NewRecipe() with { Seed = Random.Shared.Next() }) { Picture = null });
        }
        catch (Exception exception)
        {
            (State, Failure) = (HostState.Broken, $"{_device} failed and can run no more jobs; restart the program.");
            Log.Broke(_logger, exception, _device);
        }
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
            new FeatureStatistics(pair.Key, feature, pair.Value.Scale?.Mean[feature] ?? 0, pair.Value.Scale?.StandardDeviation?[feature] ?? 0)))];
    }

    public ModelInfo Info => _model.Info;

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
    private readonly RecipeRunner _runner = new(model);

    public ModelInfo Model => model.Info;

    /// <exception cref="RecipeException">The model cannot run the job; the message names every field that does not fit.</exception>
    public void RequireFit(GenerationJob job)
    {
        RecipeFit.Require(job.Recipe, model);
        foreach (var site in job.Sites)
            if (model.Info.Find(site) is null)
                throw new RecipeException("sites", ModelFit.NoAutoencoder(site, model.Info));
    }

    /// <param name="progress">Called with the steps done and the steps in total.</param>
    /// <param name="cancellation">Stops the job between two stages.</param>
    /// <exception cref="RecipeException">The recipe does not fit the model.</exception>
    /// <exception cref="OperationCanceledException">The job was cancelled.</exception>
    public GenerationResult Run(GenerationJob job, Action<int, int>? progress = null, CancellationToken cancellation = default)
    {
        RequireFit(job);
        var outcome = _runner.Run(job.Recipe, new RunRequest { Read = job.Sites, Picture = job.Picture is not null, Progress = progress }, cancellation);
        if (outcome.Picture is not { } picture)
            return new(job.Id, job.Recipe, default, outcome.Maps, outcome.Timings);
        var encoding = new StageClock();
        var bytes = encoding.Time("encode", () => PictureEncoder.Encode(picture, job.Picture!.Value, job.Recipe));
        return new(job.Id, job.Recipe, bytes, outcome.Maps, [.. outcome.Timings, .. encoding.Timings]);
    }

    public void Dispose() => _runner.Dispose();
}

/// <summary>Encodes a picture in the format that a job requests.</summary>
internal static class PictureEncoder
{
    private const int Quality = 92;

    /// <summary>A PNG also holds the recipe.</summary>
    public static byte[] Encode(Picture picture, PictureFormat format, Recipe recipe) => format switch
    {
        PictureFormat.Jpeg => Jpeg.Encode(picture, Quality),
        PictureFormat.WebP => WebP.Encode(picture, Quality),
        _ => Png.Encode(picture, new Dictionary<string, string> { [Recipe.PngKeyword] = recipe.ToJson() }),
    };
}
