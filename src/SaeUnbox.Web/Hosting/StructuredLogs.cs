using System.Collections.Concurrent;
using System.Globalization;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace SaeUnbox.Web.Hosting;

internal static class StructuredLogs
{
    private const string Line = "{Timestamp:yyyy-MM-ddTHH:mm:ss.fffzzz} {Level:u3} {SourceContext} {Message:lj}{NewLine}{Exception}";

    /// <summary>Logs to the console with Serilog; levels come from the configuration section "Serilog".</summary>
    public static void AddStructuredLogs(this WebApplicationBuilder builder)
    {
        var invalid = Levels(builder.Configuration.GetSection("Serilog:MinimumLevel"))
            .Where(level => level.Value is { } name && !Enum.TryParse<LogEventLevel>(name, ignoreCase: true, out _))
            .Select(level => (level, string.Join(", ", Enum.GetNames<LogEventLevel>())));
        var logger = new LoggerConfiguration()
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Information)
            .MinimumLevel.Override("Microsoft.AspNetCore.SignalR", LogEventLevel.Fatal) // HubErrors logs what matters
            .Enrich.FromLogContext()
            .Filter.ByExcluding(IsStartFailure)
            .Filter.With(new LogThrottle(TimeProvider.System))
            .WriteTo.Console(outputTemplate: Line, formatProvider: CultureInfo.InvariantCulture)
            .ReadFrom.Configuration(builder.Services.Without(builder.Configuration, invalid))
            .CreateLogger();
        builder.Logging.ClearProviders();
        builder.Logging.AddSerilog(logger, dispose: true);
    }

    // Startup writes the reason in one sentence.
    private static bool IsStartFailure(LogEvent line) =>
        line.Properties.TryGetValue(Constants.SourceContextPropertyName, out var source)
        && source is ScalarValue { Value: "Microsoft.Extensions.Hosting.Internal.Host" }
        && line.MessageTemplate.Text == "Hosting failed to start";

    private static IEnumerable<IConfigurationSection> Levels(IConfigurationSection section) =>
        section.GetChildren().SelectMany(Levels).Prepend(section);
}

/// <summary>
/// Limits the warnings and errors of each kind to some a minute, so that no visitor can fill the disk with them. A kind is a message
/// template; the program has a fixed number of them.
/// </summary>
internal sealed class LogThrottle(TimeProvider clock) : ILogEventFilter
{
    public const int MostPerMinute = 60;
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<string, (long Start, int Count)> _kinds = new();

    public bool IsEnabled(LogEvent logEvent)
    {
        if (logEvent.Level < LogEventLevel.Warning)
            return true;
        var now = clock.GetTimestamp();
        var (_, count) = _kinds.AddOrUpdate(logEvent.MessageTemplate.Text, (now, 1),
            (_, kind) => clock.GetElapsedTime(kind.Start, now) >= Minute ? (now, 1) : (kind.Start, kind.Count + 1));
        return count <= MostPerMinute;
    }
}
