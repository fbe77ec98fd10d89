using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving;

public static class ServiceCollectionExtensions
{
    /// <summary>
    /// Serves models in this process: adds <see cref="IGenerationQueue"/>, <see cref="IModelCatalogue"/>, <see cref="IServingState"/>, and
    /// the devices as a list of <see cref="IJobExecutor"/>s for use by a worker.
    /// </summary>
    public static IServiceCollection AddSaeUnboxInference(this IServiceCollection services, IConfiguration configuration)
    {
        services
            .AddOptions<ServingOptions>()
            .Bind(configuration.GetSection(ServingOptions.Section))
            .PostConfigure(options => FillIn(options.Models))
            .ValidateOnStart();
        services.AddSingleton<IValidateOptions<ServingOptions>>(new ServingOptionsValidator());
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<InProcessQueue>();
        services.AddSingleton<IGenerationQueue>(provider => provider.GetRequiredService<InProcessQueue>());
        services.AddSingleton<ServingHost>();
        services.AddHostedService(provider => provider.GetRequiredService<ServingHost>());
        services.AddSingleton<IServingState>(provider => provider.GetRequiredService<ServingHost>());
        services.AddKeyedSingleton<IServingState>(ServingParts.Key, (provider, _) => provider.GetRequiredService<ServingHost>());
        services.AddSingleton(provider => provider.GetRequiredService<ServingHost>().Devices);
        services.AddSingleton<IModelCatalogue, ModelCatalogue>();
        return services;
    }

    /// <summary>
    /// Adds an <see cref="IModelCatalogue"/> of the workers' models, for a node over RabbitMQ. It loads no model; configured models need
    /// only a name and an atlas.
    /// </summary>
    public static IServiceCollection AddSaeUnboxRemoteCatalogue(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<ServingOptions>().Bind(configuration.GetSection(ServingOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ServingOptions>>(new ServingOptionsValidator(needsModels: false));
        services.AddSingleton<IModelCatalogue, RemoteCatalogue>();
        return services;
    }

    private static void FillIn(IEnumerable<ServedModel> models)
    {
        foreach (var model in models)
            model.FillIn();
    }
}
