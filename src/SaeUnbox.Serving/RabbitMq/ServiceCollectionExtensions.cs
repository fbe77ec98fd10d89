using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Serving.RabbitMq;

public static class ServiceCollectionExtensions
{
    /// <summary>
    /// Adds a web node: <see cref="IGenerationQueue"/> over the broker, <see cref="IWorkerDirectory"/>, and its
    /// <see cref="ServingParts">part</see> of the serving state.
    /// </summary>
    public static IServiceCollection AddRabbitMqNode(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddRabbitMqOptions(configuration);
        services.AddSingleton(provider => new WorkerDirectory(3 * Options(provider).AnnounceEvery, Clock(provider)));
        services.AddSingleton<IWorkerDirectory>(provider => provider.GetRequiredService<WorkerDirectory>());
        services.AddSingleton<CanvasAffinity>();
        services.AddSingleton<JobPublisher>();
        services.AddSingleton<BrokerQueue>();
        services.AddSingleton<IGenerationQueue>(provider => provider.GetRequiredService<BrokerQueue>());
        services.AddSingleton(provider => new NodeService(provider.GetRequiredService<BrokerQueue>(),
            provider.GetRequiredService<JobPublisher>(), provider.GetRequiredService<WorkerDirectory>(),
            provider.GetRequiredService<IOptions<RabbitMqOptions>>(),
            Connection(provider), Clock(provider), provider.GetRequiredService<ILogger<NodeService>>()));
        services.AddHostedService(provider => provider.GetRequiredService<NodeService>());
        services.AddKeyedSingleton<IServingState>(ServingParts.Key, (provider, _) => provider.GetRequiredService<NodeService>());
        return services;
    }

    /// <summary>Adds a worker: each <see cref="IJobExecutor"/> of the registered list takes jobs from the broker.</summary>
    public static IServiceCollection AddRabbitMqWorker(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddRabbitMqOptions(configuration);
        services.AddSingleton(provider => new WorkerService(provider.GetRequiredService<IReadOnlyList<IJobExecutor>>(),
            provider.GetRequiredService<IOptions<RabbitMqOptions>>(),
            Connection(provider), Clock(provider), provider.GetRequiredService<ILogger<WorkerService>>()));
        services.AddHostedService(provider => provider.GetRequiredService<WorkerService>());
        services.AddKeyedSingleton<IServingState>(ServingParts.Key, (provider, _) => provider.GetRequiredService<WorkerService>());
        return services;
    }

    private static void AddRabbitMqOptions(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddOptions<RabbitMqOptions>().Bind(configuration.GetSection(RabbitMqOptions.Section)).ValidateOnStart();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<RabbitMqOptions>, RabbitMqOptionsValidator>());
        services.TryAddSingleton(TimeProvider.System);
    }

    private static RabbitMqOptions Options(IServiceProvider provider) => provider.GetRequiredService<IOptions<RabbitMqOptions>>().Value;

    private static TimeProvider Clock(IServiceProvider provider) => provider.GetRequiredService<TimeProvider>();

    // Node and worker each have their own connection: if the broker throttles publishers on one, the other still works.
    private static BrokerConnection Connection(IServiceProvider provider) =>
        new(provider.GetRequiredService<IOptions<RabbitMqOptions>>(), Clock(provider),
            provider.GetRequiredService<ILogger<BrokerConnection>>());
}
