using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving;

/// <summary>Starts one <see cref="ModelHost"/> per device when the process starts, and drains the queue when it stops.</summary>
internal sealed class ServingHost : IHostedService, IServingState, IDisposable
{
    private readonly InProcessQueue _queue;
    private readonly ModelHost[] _hosts;
    private readonly Meter _meter = new(ServingTelemetry.Name);

    public ServingHost(IOptions<ServingOptions> options, InProcessQueue queue, ILogger<ModelHost> logger)
    {
        _queue = queue;
        IEnumerable<ServedModel> models = options.Value.Models is { Count: > 0 } given ? given : [ServedModel.Embedded];
        _hosts = [.. models.GroupBy(model => model.Device).Select(group => new ModelHost(group.Key, [.. group], queue, logger))];
        queue.Check = RequireFit;
        _meter.CreateObservableUpDownCounter("saeunbox.device.memory.usage", () => Memory(memory => memory.Used), "By", "Memory in use on a device with loaded models.");
        _meter.CreateObservableUpDownCounter("saeunbox.device.memory.limit", () => Memory(memory => memory.Limit), "By", "Memory of a device.");
    }

    public bool IsReady => _hosts.All(host => host.State == HostState.Ready) && !IsStopping;

    public bool IsStopping { get; private set; }

    public string? Failure => _hosts.Select(host => host.Failure).FirstOrDefault(failure => failure is not null);

    public Task Loaded => Task.WhenAll(_hosts.Select(host => host.Loaded));

    internal IReadOnlyList<IJobExecutor> Devices => [.. _hosts.Select(host => new DeviceExecutor(host, _queue))];

    /// <summary>The distinct models; several devices may hold the same one.</summary>
    internal IEnumerable<HostedModel> Models => _hosts.SelectMany(host => host.Models).DistinctBy(model => model.Info.Name);

    public bool IsBroken => _hosts.Any(host => host.State == HostState.Broken);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var host in _hosts)
            host.Start();
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken)
    {
        IsStopping = true;
        return _queue.DrainAsync(cancellationToken);
    }

    public void Dispose()
    {
        _meter.Dispose();
        // If the program failed to start, StopAsync was never called.
        _queue.Close();
        foreach (var host in _hosts)
            host.Dispose();
    }

    private IEnumerable<Measurement<long>> Memory(Func<(long Used, long Limit), long> part)
    {
        foreach (var host in _hosts.Where(host => host.State == HostState.Ready))
            if (DeviceMemory.Of(host.Device) is { } memory)
                yield return new(part(memory), new KeyValuePair<string, object?>("device", host.Device));
    }

    private void RequireFit(GenerationJob job)
    {
        // While models are loading, jobs for any model may wait.
        if (_hosts.Any(host => host.State == HostState.Loading))
            return;
        var holders = _hosts.Where(host => host.Models.Any(model => model.Info.Name == job.Recipe.Model)).ToArray();
        if (holders.Length > 0 && Array.TrueForAll(holders, host => host.State == HostState.Broken))
            throw new RecipeException("model", $"cannot be used: {holders[0].Failure}");
        var model = Models.FirstOrDefault(model => model.Info.Name == job.Recipe.Model)
            ?? throw ModelFit.NoModel(job.Recipe.Model, Models.Select(known => known.Info.Name));
        model.Runner.RequireFit(job);
    }
}

/// <summary>A device of this process, as workers see it. Jobs reach the device's thread through the process's own queue.</summary>
internal sealed class DeviceExecutor(ModelHost host, InProcessQueue queue) : IJobExecutor
{
    public string Device => host.Device;

    public string? Failure => host.Failure;

    public async Task<IReadOnlyList<ModelInfo>> GetModelsAsync(CancellationToken cancellationToken = default)
    {
        await host.Loaded.WaitAsync(cancellationToken).ConfigureAwait(false);
        return host.State == HostState.Ready ? [.. host.Models.Select(model => model.Info)] : [];
    }

    public async Task<GenerationProgress> RunAsync(GenerationJob job, Action<GenerationProgress.Running> report, CancellationToken cancellationToken = default)
    {
        // A worker may try the same job again, so each try gets its own id here.
        var attempt = job with { Id = Guid.NewGuid() };
        try
        {
            await queue.SubmitAsync(attempt, host.Device, cancellationToken).ConfigureAwait(false);
        }
        catch (RecipeException exception)
        {
            return new GenerationProgress.Failed(job.Id, exception.Message);
        }
        using var cancelling = cancellationToken.Register(() => queue.CancelAsync(attempt.Id, CancellationToken.None).AsTask());
        await foreach (var progress in queue.WatchAsync(attempt.Id, CancellationToken.None).ConfigureAwait(false))
            switch (progress)
            {
                case GenerationProgress.Running running:
                    report(new(job.Id, running.Step, running.Steps));
                    break;
                case GenerationProgress.Completed { Result: var result }:
                    // The web node measures the wait.
                    return new GenerationProgress.Completed(result with { JobId = job.Id, Timings = [.. result.Timings.Where(stage => stage.Stage != StageTiming.Wait)] });
                case GenerationProgress.Failed failed:
                    return queue.FaultOf(attempt.Id) is { } fault ? throw new InvalidOperationException(fault.Message, fault) : new GenerationProgress.Failed(job.Id, failed.Message);
                case { IsFinal: true }:
                    return new GenerationProgress.Cancelled(job.Id);
            }
        throw new InvalidOperationException("the job ended without a final report");
    }
}
