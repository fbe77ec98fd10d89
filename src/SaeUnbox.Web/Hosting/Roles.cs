using System.ComponentModel.DataAnnotations;
using System.Globalization;

namespace SaeUnbox.Web.Hosting;

/// <summary>Where jobs run: in this process, or on workers behind RabbitMQ.</summary>
internal enum QueueKind { InProcess, RabbitMq }

/// <summary>What this process runs: the page (Web), the models (Worker), or both (All).</summary>
internal enum Role { All, Web, Worker }

/// <summary>Queue and role: the section "SaeUnbox".</summary>
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
            yield return new($"is '{Role}', which needs SaeUnbox:Queue=RabbitMq; for a single process use all", [nameof(Role)]);
    }

    private static T? Parse<T>(string text) where T : struct, Enum =>
        Enum.GetNames<T>().Contains(text, StringComparer.OrdinalIgnoreCase) ? Enum.Parse<T>(text, ignoreCase: true) : null;
}

internal static class Roles
{
    private static readonly TimeSpan MarginToStop = TimeSpan.FromSeconds(10), LongestGrace = TimeSpan.FromDays(1);

    /// <summary>Registers the models, the queue, or the connection to remote ones, as configured.</summary>
    /// <returns>The process's role.</returns>
    public static Role AddServing(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        var given = services.AddAnnotatedOptions<RoleOptions>(builder.Configuration, HostingOptions.Section);
        services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeToStop(builder.Configuration));
        var role = given.ChosenRole ?? Role.All;
        var configuration = services.WithoutUnreadable<ServingOptions>(builder.Configuration, ServingOptions.Section);
        if (given.ChosenQueue != QueueKind.RabbitMq)
        {
            services.AddSaeUnboxInference(configuration);
            return role;
        }
        configuration = services.WithoutUnreadable<RabbitMqOptions>(configuration, RabbitMqOptions.Section);
        if (role == Role.Web)
            services.AddSaeUnboxRemoteCatalogue(configuration);
        else
            services.AddSaeUnboxInference(configuration).AddRabbitMqWorker(configuration);
        // Registered after the worker and so stopped before it: the worker still finishes the node's jobs.
        if (role != Role.Worker)
            services.AddRabbitMqNode(configuration);
        services.AddSingleton<IServingState>(provider => new ServingParts(provider.GetKeyedServices<IServingState>(ServingParts.Key)));
        return role;
    }

    /// <summary>
    /// How long the host waits for services to stop: the readiness delay, the grace period (twice the longest over a broker, since a node's
    /// jobs end before its own worker stops), and a margin. Reads unvalidated settings, because the host needs the value before validation.
    /// </summary>
    internal static TimeSpan TimeToStop(IConfiguration configuration)
    {
        var grace = Read(ServingOptions.Section, nameof(ServingOptions.Grace), new ServingOptions().Grace);
        var workerGrace = Read(RabbitMqOptions.Section, nameof(RabbitMqOptions.Grace), new RabbitMqOptions().Grace);
        var delay = Read(HostingOptions.Section, nameof(HostingOptions.ReadinessDelay), TimeSpan.Zero);
        var queue = configuration[$"{HostingOptions.Section}:{nameof(RoleOptions.Queue)}"] ?? nameof(QueueKind.InProcess);
        var isInProcess = new RoleOptions { Queue = queue }.ChosenQueue == QueueKind.InProcess;
        return delay + (isInProcess ? grace : 2 * (grace > workerGrace ? grace : workerGrace)) + MarginToStop;

        TimeSpan Read(string section, string key, TimeSpan otherwise) =>
            TimeSpan.TryParse(configuration[$"{section}:{key}"], CultureInfo.InvariantCulture, out var given)
            && given >= TimeSpan.Zero && given <= LongestGrace ? given : otherwise;
    }
}
