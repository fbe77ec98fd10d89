using Microsoft.AspNetCore.Http.HttpResults;

namespace SaeUnbox.Web.Hosting;

internal static class Health
{
    /// <summary>/healthz: the process answers. /readyz: its own models are loaded, the broker and the store can be reached, and it is not about to stop.</summary>
    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/healthz", () => TypedResults.Text("alive\n")).ExcludeFromDescription();
        app.MapGet("/readyz", ContentHttpResult (ReadinessFirst readiness) => readiness.IsReady
            ? TypedResults.Text("ready\n")
            : TypedResults.Text($"{readiness.Reason}\n", statusCode: StatusCodes.Status503ServiceUnavailable)).ExcludeFromDescription();
    }
}
