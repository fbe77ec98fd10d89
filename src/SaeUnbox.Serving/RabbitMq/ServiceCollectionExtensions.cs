using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving.RabbitMq;

public static class ServiceCollectionExtensions
{
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
}
