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
                await app.RunAsync();
                return 0;
            }
            catch (IOException exception)
            {
                // An address that is taken, a file that cannot be written.
                await Console.Error.WriteLineAsync($"saeunbox: {exception.Message}");
                return 1;
            }
        }
    }

    private static IReadOnlyList<string> Mistakes(IServiceProvider services)
    {
        try
        {
            services.GetRequiredService<IStartupValidator>().Validate();
            return [];
        }
        catch (AggregateException exception)
        {
            return [.. exception.InnerExceptions.SelectMany(Told)];
        }
        catch (Exception exception) when (exception is OptionsValidationException or InvalidOperationException)
        {
            return [.. Told(exception)];
        }
    }

    private static IEnumerable<string> Told(Exception exception) => exception is OptionsValidationException options ? options.Failures : [exception.Message];
}
