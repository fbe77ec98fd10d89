using System.ComponentModel.DataAnnotations;
using SaeUnbox.Contracts;
using SaeUnbox.Inference;
using SaeUnbox.RabbitMq;

namespace SaeUnbox.Web.Hosting;

/// <summary>How jobs get to those who do them.</summary>
internal enum QueueKind { InProcess, RabbitMq }

/// <summary>What this process is: the page, a worker that has models and no page, or both.</summary>
internal enum Role { All, Web, Worker }

/// <summary>The choice of both: the section "SaeUnbox".</summary>
internal sealed class RoleOptions : IValidatableObject
{
    /// <summary>InProcess or RabbitMq.</summary>
    public string Queue { get; set; } = nameof(QueueKind.InProcess);

    /// <summary>all, web or worker.</summary>
    public string Role { get; set; } = nameof(Hosting.Role.All);

    public QueueKind? ChosenQueue => Parse<QueueKind>(Queue);

    public Role? ChosenRole => Parse<Role>(Role);

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (ChosenQueue is null)
            yield return new($"is '{Queue}'; use InProcess or RabbitMq", [nameof(Queue)]);
        if (ChosenRole is null)
            yield return new($"is '{Role}'; use all, web or worker", [nameof(Role)]);
        if (ChosenQueue == QueueKind.InProcess && ChosenRole is Hosting.Role.Web or Hosting.Role.Worker)
            yield return new($"is '{Role}', which needs SaeUnbox:Queue=RabbitMq; within one process use all", [nameof(Role)]);
    }

    private static T? Parse<T>(string text) where T : struct, Enum => Enum.TryParse<T>(text, ignoreCase: true, out var value) && Enum.IsDefined(value) && !int.TryParse(text, out _) ? value : null;
}

internal static class Roles
{
    /// <summary>The models, the queue, or the way to both, as the configuration says.</summary>
    /// <returns>The process's role.</returns>
    public static Role AddServing(this WebApplicationBuilder builder)
    {
        var (services, configuration) = (builder.Services, builder.Configuration);
        services.AddAnnotatedOptions<RoleOptions>(configuration, HostingOptions.Section);
        // Read as it stands: mistakes are told when the program starts.
        var given = new RoleOptions();
        configuration.GetSection(HostingOptions.Section).Bind(given);
        var role = given.ChosenRole ?? Role.All;
        if (given.ChosenQueue != QueueKind.RabbitMq)
        {
            services.AddSaeUnboxInference(configuration);
            return role;
        }
        if (role == Role.Web)
            services.AddSaeUnboxRemoteCatalogue(configuration);
        else
            services.AddSaeUnboxInference(configuration).AddRabbitMqWorker(configuration);
        // Stopped first, so that its jobs are still done.
        if (role != Role.Worker)
            services.AddRabbitMqNode(configuration);
        services.AddSingleton<IServingState>(provider => new ServingParts(provider.GetKeyedServices<IServingState>(ServingParts.Key)));
        return role;
    }
}
