using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace SaeUnbox.Cli.Serving;

/// <summary>Serves a model in this process as the web program does, but without the page; over a broker if the settings name one.</summary>
internal sealed class LocalServing : IAsyncDisposable
{
    public const string BrokerKey = $"{RabbitMqOptions.Section}:{nameof(RabbitMqOptions.Uri)}";
    private readonly IHost _host;

    private LocalServing(IHost host) => _host = host;

    public IGenerationQueue Queue => _host.Services.GetRequiredService<IGenerationQueue>();

    public ModelInfo Model => _host.Services.GetRequiredService<IModelCatalogue>().Models[0];

    /// <param name="settings">Settings of the web program.</param>
    /// <exception cref="CliException">The model cannot be served.</exception>
    public static async Task<LocalServing> StartAsync(IReadOnlyDictionary<string, string?> settings, CancellationToken cancellation)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddSaeUnboxInference(builder.Configuration);
        if (builder.Configuration[BrokerKey] is not null)
        {
            builder.Services.AddRabbitMqWorker(builder.Configuration).AddRabbitMqNode(builder.Configuration);
            builder.Services.AddSingleton<IServingState>(provider => new ServingParts(provider.GetKeyedServices<IServingState>(ServingParts.Key)));
        }
        var serving = new LocalServing(builder.Build());
        await serving._host.StartAsync(cancellation);
        var state = serving._host.Services.GetRequiredService<IServingState>();
        while (!state.Loaded.IsCompleted && state.Failure is null)
            await Task.WhenAny(state.Loaded, Task.Delay(TimeSpan.FromMilliseconds(100), cancellation));
        cancellation.ThrowIfCancellationRequested();
        if (state.Failure is not { } failure)
            return serving;
        await serving.DisposeAsync();
        throw new CliException(failure);
    }

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync();
        _host.Dispose();
    }
}
