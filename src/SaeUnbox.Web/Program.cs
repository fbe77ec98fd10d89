using System.Globalization;
using SaeUnbox.Web.Api;
using SaeUnbox.Web.Canvases;
using SaeUnbox.Web.Components;
using SaeUnbox.Web.Hosting;
using SaeUnbox.Web.Sharing;

if (args.Any(word => word is "--help" or "-h"))
{
    Console.Write(CommandLineOptions.Help);
    return 0;
}

Libtorch.Prepare();
// Messages are in English and numbers use a decimal point on every machine.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.AddCommandLineOptions(args);
builder.RequireKnownSettings();
builder.AddStructuredLogs();
builder.AddWebDefaults();
var role = builder.AddServing();
builder.AddTelemetry(role);
var hasPage = role != Role.Worker;
if (hasPage)
{
    builder.Services.AddCanvases(builder.Configuration);
    builder.Services.AddSharing(builder.Configuration);
    builder.Services.AddPublicApi(builder.Configuration);
    builder.Services.AddRazorComponents().AddInteractiveServerComponents()
        // A page sends a recipe as a JSON string, in which each quote takes two bytes.
        .AddHubOptions(options => options.MaximumReceiveMessageSize = 2 * RecipeLimits.MaxJsonBytes);
}

return await builder.Build().RunAsync(app =>
{
    app.UseWebDefaults();
    app.UseMetricsPage();
    app.MapHealth();
    if (!hasPage)
        return;
    app.MapStaticAssets();
    app.MapCanvases();
    app.MapSharing();
    app.MapRecordings();
    app.MapPublicApi();
    app.AnnounceWhenReady();
    // WebDefaults sets the policy for all responses.
    app.MapRazorComponents<App>().AddInteractiveServerRenderMode(options => options.ContentSecurityFrameAncestorsPolicy = null);
});

/// <summary>Public so that tests can find the assembly.</summary>
public partial class Program;
