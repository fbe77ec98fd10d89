using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving;

public static class ServiceCollectionExtensions
{
    /// <summary>
    /// Serves models in this process: <see cref="IGenerationQueue"/>, <see cref="IModelCatalogue"/> and <see cref="IServingState"/>; and the
    /// devices as <see cref="IJobExecutor"/>s, where it is to work for others.
    /// </summary>
    public static IServiceCollection AddSaeUnboxInference(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<ServingOptions>().Bind(configuration.GetSection(ServingOptions.Section)).PostConfigure(options => FillIn(options.Models)).ValidateOnStart();
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
    /// Serves no model, but knows those that workers hold: <see cref="IModelCatalogue"/> over <see cref="IWorkerDirectory"/>. The models of the
    /// configuration need only a name and an atlas here.
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
