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
