using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

internal static class Startup
{
    /// <summary>Runs the site; what keeps it from starting is told in a sentence each, not as a trace.</summary>
    /// <param name="map">Maps the site's addresses, once its settings are known to be good.</param>
    /// <returns>The program's exit code.</returns>
    public static async Task<int> RunAsync(this WebApplication app, Action<WebApplication> map)
    {
        await using (app)
        {
            var mistakes = Mistakes(app.Services);
            foreach (var mistake in mistakes)
                await Console.Error.WriteLineAsync($"saeunbox: {mistake}");
            if (mistakes.Count > 0)
                return 1;
            try
            {
                map(app);
                await app.StartAsync();
            }
            catch (IOException exception) when (exception.InnerException is AddressInUseException && app.Configuration["urls"] is { } urls)
            {
                await Console.Error.WriteLineAsync($"saeunbox: {urls} is taken by another program; choose another port, as in --urls http://localhost:5081");
                return 1;
            }
            catch (Exception exception) when (exception is ArgumentOutOfRangeException or SocketException)
            {
                var reason = exception is SocketException ? exception.Message : "a port is a number from 1 to 65535";
                await Console.Error.WriteLineAsync($"saeunbox: cannot listen at {app.Configuration["urls"] ?? string.Join(" and ", app.Urls)}: {reason}");
                return 1;
            }
            catch (Exception exception) when (exception is IOException or FormatException or InvalidOperationException)
            {
                // A text that is no address, a certificate that is missing, a file that cannot be written.
                await Console.Error.WriteLineAsync($"saeunbox: {exception.Message}");
                return 1;
            }
            await app.WaitForShutdownAsync();
            return 0;
        }
    }

    private static IReadOnlyList<string> Mistakes(IServiceProvider services)
    {
        var unreadable = services.GetServices<UnreadableSetting>().Select(setting => setting.Mistake);
        try
        {
            services.GetRequiredService<IStartupValidator>().Validate();
            return [.. unreadable];
        }
        catch (AggregateException exception)
        {
            return [.. unreadable, .. exception.InnerExceptions.Cast<OptionsValidationException>().SelectMany(options => options.Failures)];
        }
        catch (OptionsValidationException exception)
        {
            return [.. unreadable, .. exception.Failures];
        }
    }
}
