using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Options;

namespace SaeUnbox.Web.Hosting;

internal static class Startup
{
    /// <summary>Runs the site. If it cannot start, writes each reason to standard error in one sentence, without a stack trace.</summary>
    /// <param name="map">Maps the site's addresses. Called after the settings are validated.</param>
    /// <returns>The program's exit code.</returns>
    public static async Task<int> RunAsync(this WebApplication app, Action<WebApplication> map)
    {
        await using (app)
        {
            var errors = Errors(app.Services);
            foreach (var error in errors)
                await Console.Error.WriteLineAsync($"saeunbox: {error}");
            if (errors.Count > 0)
                return 1;
            try
            {
                map(app);
                await app.StartAsync();
            }
            catch (IOException exception) when (exception.InnerException is AddressInUseException && app.Configuration["urls"] is { } urls)
            {
                const string Remedy = "choose another port, such as --urls http://localhost:5081";
                await Console.Error.WriteLineAsync($"saeunbox: another program already listens at {urls}; {Remedy}");
                return 1;
            }
            catch (Exception exception) when (exception is ArgumentOutOfRangeException or SocketException)
            {
                var address = app.Configuration["urls"] ?? string.Join(" and ", app.Urls);
                var reason = exception is SocketException ? exception.Message : "a port must be a number from 1 to 65535";
                await Console.Error.WriteLineAsync($"saeunbox: cannot listen at {address}: {reason}");
                return 1;
            }
            catch (Exception exception) when (exception is IOException or FormatException or InvalidOperationException)
            {
                // An invalid address, a missing certificate, a file that cannot be written.
                await Console.Error.WriteLineAsync($"saeunbox: {exception.Message}");
                return 1;
            }
            await app.WaitForShutdownAsync();
            return 0;
        }
    }

    private static IReadOnlyList<string> Errors(IServiceProvider services)
    {
        var unreadable = services.GetServices<SettingError>().Select(error => error.Message);
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
