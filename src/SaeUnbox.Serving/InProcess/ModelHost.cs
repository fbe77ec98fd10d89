using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Extensions.Logging;

namespace SaeUnbox.Serving;

/// <summary>How far a host is: Failed where its models could not be loaded, Broken where its device did jobs and can do none any more.</summary>
public enum HostState { Loading, Ready, Failed, Broken }

/// <summary>
/// The one synchronous thread of a device: it loads the device's models, takes jobs for them one by one, and frees them in the end. No
/// tensor is seen by any other thread.
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

    public ModelHost(string device, IReadOnlyList<ServedModel> models, InProcessQueue queue, ILogger logger)
    {
        (_device, _wanted, _queue, _logger) = (device, models, queue, logger);
        _thread = new Thread(Live) { IsBackground = true, Name = $"models on {device}" };
    }

    public string Device => _device;

    public HostState State { get; private set; } = HostState.Loading;

    /// <summary>Why it failed, in one sentence.</summary>
    public string? Failure { get; private set; }

    /// <summary>What it holds, once ready: the model and, where it has one, the statistics of its features.</summary>
    public IReadOnlyList<HostedModel> Models { get; private set; } = [];

    /// <summary>Ends when the models are loaded, or could not be.</summary>
    public Task Loaded => _loaded.Task;

    public void Start() => _thread.Start();

    /// <summary>Waits for the thread to end; its queue must have been closed.</summary>
    public void Dispose()
    {
        if (_thread.IsAlive)
            _thread.Join();
    }

    private void Live()
    {
        try
        {
            Load();
            while (State != HostState.Broken && _queue.Take(_runners.Keys, _device) is { } record)
                Do(record);
        }
        catch (Exception exception)
        {
            (State, Failure) = (HostState.Failed, exception is ExternalException failure ? LibtorchError.Describe(failure) : exception.Message);
            Log.Stopped(_logger, exception, _device);
        }
        finally
        {
            // What only this device could do ends.
            _queue.ModelsKnown();
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
                var model = new HostedModel(LoadedModel.Load(wanted.ToModelOptions()), wanted);
                models.Add(model);
                _runners.Add(model.Info.Name, model.Runner);
                Log.Loaded(_logger, model.Info.Name, wanted.Folder, _device, Names.Of(wanted.ToModelOptions().Dtype));
            }
            (Models, State) = (models, HostState.Ready);
        }
        catch (Exception exception) when (exception is ModelException or SaeException or CheckpointException or ArgumentException or LibtorchException)
        {
            Models = models;
            (State, Failure) = (HostState.Failed, exception.Message);
            Log.NotLoaded(_logger, _device, exception.Message);
        }
        finally
        {
            _queue.ModelsKnown();
            _loaded.TrySetResult();
        }
    }

    private void Do(JobRecord record)
    {
        var job = record.Job;
        // The stages' spans stand under the job's.
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
            // One job's misfortune is not the next one's.
            Log.JobBroke(_logger, exception, job.Id);
            Probe(_runners[job.Recipe.Model]);
            _queue.Broke(record, exception);
        }
        finally
        {
            Activity.Current = null;
        }
    }

    // After some errors a GPU fails at whatever it is told, until the program is started again: a job that asks for nothing special tells.
    private void Probe(JobRunner runner)
    {
        try
        {
            runner.Run(new(Guid.NewGuid(), runner.Model.NewRecipe() with { Seed = Random.Shared.Next() }) { Picture = null });
        }
        catch (Exception exception)
        {
            (State, Failure) = (HostState.Broken, $"{_device} broke, and can do no more jobs; start the program again.");
            Log.Broke(_logger, exception, _device);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Model {Model} of {Folder} is loaded on {Device} in {Dtype}")]
        public static partial void Loaded(ILogger logger, string model, string folder, string device, string dtype);

        [LoggerMessage(2, LogLevel.Error, "The models of {Device} are not served: {Reason}")]
        public static partial void NotLoaded(ILogger logger, string device, string reason);

        [LoggerMessage(3, LogLevel.Critical, "The thread of {Device} ended")]
        public static partial void Stopped(ILogger logger, Exception exception, string device);

        [LoggerMessage(4, LogLevel.Error, "Job {Job} broke")]
        public static partial void JobBroke(ILogger logger, Exception exception, Guid job);

        [LoggerMessage(5, LogLevel.Critical, "{Device} broke under a simple job, too")]
        public static partial void Broke(ILogger logger, Exception exception, string device);
    }
}

/// <summary>A model on its host, with what others may know of it without touching a tensor.</summary>
internal sealed class HostedModel : IDisposable
{
    private readonly LoadedModel _model;

    public HostedModel(LoadedModel model, ServedModel wanted)
    {
        _model = model;
        Runner = new JobRunner(model);
        Wanted = wanted;
        Statistics = [.. model.Saes.SelectMany(pair => Enumerable.Range(0, pair.Value.Config.Features).Select(feature =>
            new FeatureStatistics(pair.Key, feature, pair.Value.Scale?.Mean[feature] ?? 0, pair.Value.Scale?.StandardDeviation?[feature] ?? 0)))];
    }

    public ModelInfo Info => _model.Info;

    public ServedModel Wanted { get; }

    public JobRunner Runner { get; }

    /// <summary>Of every feature of every site, in order.</summary>
    public IReadOnlyList<FeatureStatistics> Statistics { get; }

    public void Dispose()
    {
        Runner.Dispose();
        _model.Dispose();
    }
}

/// <summary>Does one job on one model, on the thread that calls it. It knows of no queue: any kind of worker can use it.</summary>
public sealed class JobRunner(LoadedModel model) : IDisposable
{
    private readonly RecipeRunner _runner = new(model);

    public ModelInfo Model => model.Info;

    /// <summary>Whether this model can do it.</summary>
    /// <exception cref="RecipeException">Every field that does not fit is named.</exception>
    public void RequireFit(GenerationJob job)
    {
        RecipeFit.Require(job.Recipe, model);
        foreach (var site in job.Sites)
            if (model.Info.Find(site) is null)
                throw new RecipeException("sites", ModelFit.NoAutoencoder(site, model.Info));
    }

    /// <param name="job">What to do.</param>
    /// <param name="progress">Told of steps done and steps in all.</param>
    /// <param name="cancellation">Ends it between two stages.</param>
    /// <exception cref="RecipeException">The recipe does not fit the model.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
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

/// <summary>From pixels to the bytes a job asked for.</summary>
internal static class PictureEncoder
{
    private const int Quality = 92;

    /// <summary>A PNG carries its recipe.</summary>
    public static byte[] Encode(Picture picture, PictureFormat format, Recipe recipe) => format switch
    {
        PictureFormat.Jpeg => Jpeg.Encode(picture, Quality),
        PictureFormat.WebP => WebP.Encode(picture, Quality),
        _ => Png.Encode(picture, new Dictionary<string, string> { [Recipe.PngKeyword] = recipe.ToJson() }),
    };
}
