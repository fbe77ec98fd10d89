using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using SaeUnbox.Contracts;

namespace SaeUnbox.Inference;

public static class ServiceCollectionExtensions
{
    /// <summary>Serves models in this process: <see cref="IGenerationQueue"/>, <see cref="IModelCatalogue"/> and <see cref="IServingState"/>.</summary>
    public static IServiceCollection AddSaeUnboxInference(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<ServingOptions>().Bind(configuration.GetSection(ServingOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ServingOptions>, ServingOptionsValidator>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<InProcessQueue>();
        services.AddSingleton<IGenerationQueue>(provider => provider.GetRequiredService<InProcessQueue>());
        services.AddSingleton<ServingHost>();
        services.AddHostedService(provider => provider.GetRequiredService<ServingHost>());
        services.AddSingleton<IServingState>(provider => provider.GetRequiredService<ServingHost>());
        services.AddSingleton<IModelCatalogue, ModelCatalogue>();
        return services;
    }
}
