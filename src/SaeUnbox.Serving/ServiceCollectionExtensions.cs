using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using SaeUnbox.Serving.RabbitMq;

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

    /// <summary>
    /// Adds a web node: <see cref="IGenerationQueue"/> over the broker, and its <see cref="ServingParts">part</see> of the serving state.
    /// </summary>
    public static IServiceCollection AddRabbitMqNode(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddRabbitMqOptions(configuration);
        services.AddSingleton(provider => new WorkerDirectory(
            3 * provider.GetRequiredService<IOptions<RabbitMqOptions>>().Value.AnnounceEvery, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<CanvasAffinity>();
        services.AddSingleton<JobPublisher>();
        services.AddSingleton<BrokerQueue>();
        services.AddSingleton<IGenerationQueue>(provider => provider.GetRequiredService<BrokerQueue>());
        return services.AddPart<NodeService>();
    }

    /// <summary>Adds a worker: each <see cref="IJobExecutor"/> of the registered list takes jobs from the broker.</summary>
    public static IServiceCollection AddRabbitMqWorker(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddRabbitMqOptions(configuration);
        return services.AddPart<WorkerService>();
    }

    private static void AddRabbitMqOptions(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<RabbitMqOptions>().Bind(configuration.GetSection(RabbitMqOptions.Section)).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<RabbitMqOptions>, RabbitMqOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
        // Node and worker each have their own connection: if the broker throttles publishers on one, the other still works.
        services.TryAddTransient<BrokerConnection>();
    }

    private static IServiceCollection AddPart<T>(this IServiceCollection services)
        where T : class, IHostedService, IServingState
    {
        services.AddSingleton<T>();
        services.AddHostedService(provider => provider.GetRequiredService<T>());
        return services.AddKeyedSingleton<IServingState>(ServingParts.Key, (provider, _) => provider.GetRequiredService<T>());
    }

    private static void FillIn(IEnumerable<ServedModel> models)
    {
        foreach (var model in models)
            model.FillIn();
    }
}
