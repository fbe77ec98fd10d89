using Microsoft.AspNetCore.Http.HttpResults;

namespace SaeUnbox.Web.Hosting;

internal static class Health
{
    /// <summary>
    /// /healthz: the process answers, and a new start would not help. /readyz: its own models are loaded, the broker and the store can be reached,
    /// and it is not about to stop.
    /// </summary>
    public static void MapHealth(this WebApplication app)
    {
        app.MapGet("/healthz", ContentHttpResult (IServingState state) => state.IsBroken
            ? TypedResults.Text($"{state.Failure}\n", statusCode: StatusCodes.Status503ServiceUnavailable)
            : TypedResults.Text("alive\n")).ExcludeFromDescription();
        app.MapGet("/readyz", ContentHttpResult (ReadinessFirst readiness) => readiness.IsReady
            ? TypedResults.Text("ready\n")
            : TypedResults.Text($"{readiness.Reason}\n", statusCode: StatusCodes.Status503ServiceUnavailable)).ExcludeFromDescription();
    }
}
