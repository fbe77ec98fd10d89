using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving;

/// <summary>
/// The devices of this process: starts one <see cref="ModelHost"/> each when the process starts, and drains the queue when it stops.
/// </summary>
internal sealed class ServingHost : IHostedService, IServingState, IDisposable
{
    private readonly InProcessQueue _queue;
    private readonly ModelHost[] _hosts;
    private readonly Meter _meter = new(ServingTelemetry.Name);

    public ServingHost(IOptions<ServingOptions> options, InProcessQueue queue, ILogger<ModelHost> logger)
    {
        _queue = queue;
        IEnumerable<ServedModel> models = options.Value.Models is { Count: > 0 } given ? given : [ServedModel.Embedded];
        _hosts = [.. models.GroupBy(model => model.Device)
            .Select(group => new ModelHost(group.Key, [.. group], options.Value.TimeLimit, logger))];
        queue.Check = RequireFit;
        _meter.CreateObservableUpDownCounter("saeunbox.device.memory.usage", () => Memory(memory => memory.Used), "By",
            "Memory in use on a device with loaded models.");
        _meter.CreateObservableUpDownCounter("saeunbox.device.memory.limit", () => Memory(memory => memory.Limit), "By",
            "Memory of a device.");
    }

    public bool IsReady => _hosts.All(host => host.State == HostState.Ready) && !IsStopping;

    public bool IsStopping { get; private set; }

    public string? Failure => _hosts.Select(host => host.Failure).FirstOrDefault(failure => failure is not null);

    public Task Loaded => Task.WhenAll(_hosts.Select(host => host.Loaded));

    internal IReadOnlyList<IJobExecutor> Devices => _hosts;

    /// <summary>The distinct models; several devices may hold the same one.</summary>
    internal IEnumerable<HostedModel> Models => _hosts.SelectMany(host => host.Models).DistinctBy(model => model.Info.Name);

    public bool IsBroken => _hosts.Any(host => host.State == HostState.Broken);

    public Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var host in _hosts)
        {
            host.Start();
            _queue.Serve(host);
        }
        return Task.CompletedTask;
    }

    public Task DrainAsync(CancellationToken cancellationToken = default)
    {
        IsStopping = true;
        return _queue.DrainAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => DrainAsync(cancellationToken);

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
            if (DeviceMemory.Read(host.Device) is { } memory)
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
