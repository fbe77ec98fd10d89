using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using SaeUnbox.Contracts;
using SaeUnbox.Inference;

namespace SaeUnbox.Cli.Serving;

/// <summary>The serving of the page, without the page: the queue and the model's thread in this process.</summary>
internal sealed class LocalServing : IAsyncDisposable
{
    private readonly IHost _host;

    private LocalServing(IHost host) => _host = host;

    public IGenerationQueue Queue => _host.Services.GetRequiredService<IGenerationQueue>();

    public ModelInfo Model => _host.Services.GetRequiredService<IModelCatalogue>().Models[0];

    /// <param name="settings">As the page's program takes them.</param>
    /// <exception cref="CliException">The model cannot be served.</exception>
    public static async Task<LocalServing> StartAsync(IReadOnlyDictionary<string, string?> settings, CancellationToken cancellation)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Services.AddSaeUnboxInference(builder.Configuration);
        var serving = new LocalServing(builder.Build());
        await serving._host.StartAsync(cancellation);
        var state = serving._host.Services.GetRequiredService<IServingState>();
        await state.Loaded.WaitAsync(cancellation);
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
